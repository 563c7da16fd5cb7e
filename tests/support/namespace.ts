/**
 * Two hosts of our own, joined by a cable of our own, in which packets can be made to vanish.
 *
 * They are network namespaces, so nothing of the machine's own network is touched, and the kernel takes cable and
 * rules away with them.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { launch } from "./processes.ts";

const PREFIX = "holdfast-";

/** Addresses of documentation (RFC 5737): nobody can be met there. */
const SERVER = "192.0.2.1";
const CLIENTS = ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"] as const;

/** Where packets vanish: on their way to the server, to the client, or both. */
export type Direction = "both" | "to-server" | "to-client";

/** A server's host and a client's host with a cable between them. */
export interface Hosts {
  readonly server: string;
  /** The client's host has several addresses, so that each can have a fault of its own. */
  readonly clients: readonly string[];
  /** What to put in front of a command, to run it on a host. */
  readonly onServer: readonly string[];
  readonly onClient: readonly string[];
  /** Lets packets from and to one of the clients' addresses vanish at the host that would receive them. */
  cut(client: string, direction: Direction): void;
  /** Ends what {@linkcode cut} began. */
  heal(client: string): void;
  /** Takes everything away. The processes on the hosts must have ended. */
  remove(): void;
}

/** Where `ip netns exec` finds the files of a host that are its own. */
const FILES = "/etc/netns";

/**
 * Builds two hosts; or tells why that cannot be done here.
 *
 * @param nameserver Address at which the client's host looks names up, if it has to.
 */
export function buildHosts(nameserver?: string): Hosts | { readonly missing: string } {
  if (process.getuid?.() !== 0) return { missing: "only root can make network namespaces" };
  for (const [program, probe] of [["ip", "-V"], ["nft", "-v"]] as const) {
    if (spawnSync(program, [probe]).error !== undefined) return { missing: `${program} is not installed` };
  }
  removeLeftovers();
  const server = `${PREFIX}${process.pid}-s`, client = `${PREFIX}${process.pid}-c`;
  const remove = () => {
    for (const name of [server, client]) removeHost(name);
  };
  try {
    if (nameserver !== undefined) {
      mkdirSync(`${FILES}/${client}`, { recursive: true });
      // It asks once: what is tried again, and when, is for the client to say.
      writeFileSync(
        `${FILES}/${client}/resolv.conf`,
        `nameserver ${nameserver}\noptions attempts:1 timeout:1\n`,
      );
    }
    run("ip", ["netns", "add", server]);
    run("ip", ["netns", "add", client]);
    run("ip", [
      "-n",
      server,
      "link",
      "add",
      "cable",
      "type",
      "veth",
      "peer",
      "name",
      "cable",
      "netns",
      client,
    ]);
    run("ip", ["-n", server, "addr", "add", `${SERVER}/24`, "dev", "cable"]);
    for (const address of CLIENTS) {
      run("ip", ["-n", client, "addr", "add", `${address}/24`, "dev", "cable"]);
    }
    for (const host of [server, client]) {
      run("ip", ["-n", host, "link", "set", "lo", "up"]);
      run("ip", ["-n", host, "link", "set", "cable", "up"]);
    }
    rules(server, "ip saddr");
    rules(client, "ip daddr");
  } catch (error) {
    remove();
    return { missing: (error as Error).message };
  }
  const at = { "to-server": [server], "to-client": [client], both: [server, client] };
  return {
    server: SERVER,
    clients: CLIENTS,
    onServer: ["ip", "netns", "exec", server],
    onClient: ["ip", "netns", "exec", client],
    cut(address, direction) {
      for (const host of at[direction]) run("ip", element("add", host, address));
    },
    heal(address) {
      // Where it was not cut, nft complains.
      for (const host of at.both) spawnSync("ip", element("delete", host, address));
    },
    remove,
  };
}

/** Two hosts with a path between them that delays, loses, doubles and reorders packets. */
export interface FarHosts {
  readonly server: string;
  readonly client: string;
  readonly onServer: readonly string[];
  readonly onClient: readonly string[];
  /** Makes the path as bad as it is to be; until then it only delays. */
  spoil(): void;
  /** What the path has done since. */
  counts(): Promise<{ passed: number; lost: number; doubled: number; overtaken: number }>;
  remove(): void;
}

/** What a path does: shares from 0 to 1, times in milliseconds. */
export interface Path {
  readonly delay: number;
  readonly jitter: number;
  readonly loss: number;
  readonly doubled: number;
  readonly seed: number;
}

/** Builds two hosts far from each other; or tells why that cannot be done here. */
export async function buildFarHosts(path: Path): Promise<FarHosts | { readonly missing: string }> {
  if (process.getuid?.() !== 0) return { missing: "only root can make network namespaces" };
  if (!existsSync("/dev/net/tun")) return { missing: "there is no /dev/net/tun" };
  if (spawnSync("ip", ["-V"]).error !== undefined) return { missing: "ip is not installed" };
  removeLeftovers();
  const server = `${PREFIX}${process.pid}-fs`, client = `${PREFIX}${process.pid}-fc`;
  const remove = () => {
    for (const name of [server, client]) removeHost(name);
  };
  const file = fileURLToPath(new URL("lossy_path.py", import.meta.url));
  const { delay, jitter, loss, doubled, seed } = path;
  try {
    for (const name of [server, client]) run("ip", ["netns", "add", name]);
    const ends = [server, SERVER, client, CLIENTS[0]];
    const relay = launch(["python3", file, ...ends, ...[delay, jitter, loss, doubled, seed].map(String)]);
    await relay.told();
    return {
      server: SERVER,
      client: CLIENTS[0],
      onServer: ["ip", "netns", "exec", server],
      onClient: ["ip", "netns", "exec", client],
      spoil: () => relay.tell("spoil"),
      counts() {
        relay.tell("counts");
        return relay.told();
      },
      remove,
    };
  } catch (error) {
    remove();
    return { missing: (error as Error).message };
  }
}

/** Drops what comes from or goes to the addresses of a set, on the input hook as a network would. */
function rules(host: string, end: "ip saddr" | "ip daddr"): void {
  const script = `table ip faults {
    set cut {
      type ipv4_addr
    }
    chain arriving {
      type filter hook input priority 0
      ${end} @cut drop
    }
  }
  `;
  run("ip", ["netns", "exec", host, "nft", "-f", "-"], script);
}

function element(what: "add" | "delete", host: string, address: string): string[] {
  return ["netns", "exec", host, "nft", what, "element", "ip", "faults", "cut", `{ ${address} }`];
}

/** Removes what a test that was killed has left behind: the hosts of processes that are no more. */
function removeLeftovers(): void {
  for (const name of existsSync("/run/netns") ? readdirSync("/run/netns") : []) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeHost(name);
  }
}

function removeHost(name: string): void {
  spawnSync("ip", ["netns", "del", name]);
  rmSync(`${FILES}/${name}`, { recursive: true, force: true });
}

function run(program: string, args: readonly string[], input = ""): void {
  const { status, stderr } = spawnSync(program, args, { input, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
}
