/**
 * What Linux itself says of a process and its connections, whatever the process says.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Why nothing here works; `false` if it does. */
export const noProc: string | false = existsSync("/proc/self/net/tcp") ? false : "there is no /proc/net/tcp";

/** One line of `/proc/net/tcp`. */
export interface TcpRow {
  /** `address:port` of this end. */
  readonly local: string;
  /** `address:port` of the other end. */
  readonly remote: string;
  /** `ESTABLISHED`, `FIN_WAIT1` and so on. */
  readonly state: string;
  /** Bytes sent and not acknowledged, or not sent yet. */
  readonly unsent: number;
  /** Whether no process holds it any more. */
  readonly orphan: boolean;
}

const STATES = [
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
];

/** The IPv4 connections of the network namespace that `pid` is in, of all its processes. */
export function tcpRows(pid: number): TcpRow[] {
  return readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n").slice(1, -1).map((line) => {
    const [, local, remote, state, queues, , , , , inode] = line.trim().split(/\s+/) as string[];
    return {
      local: address(local!),
      remote: address(remote!),
      state: STATES[parseInt(state!, 16) - 1] ?? state!,
      unsent: parseInt(queues!.split(":")[0]!, 16),
      orphan: inode === "0",
    };
  });
}

/** `0100007F:1F90` as `127.0.0.1:8080`. */
function address(hex: string): string {
  const [host, port] = hex.split(":") as [string, string];
  return `${host.match(/../g)!.reverse().map((byte) => parseInt(byte, 16)).join(".")}:${parseInt(port, 16)}`;
}

/** How many sockets `pid` holds. */
export function socketsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`).startsWith("socket:");
    } catch {
      return false; // Closed meanwhile.
    }
  }).length;
}

/** Resident memory of `pid` in bytes. */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** What an {@linkcode Observer} saw of one connection. Instants are those of `performance.now()`. */
export interface Sighting {
  /** When the process had let go of it; `undefined` while it holds it. */
  goneAt: number | undefined;
  /** When bytes last went into it, or were acknowledged. */
  movedAt: number;
  unsent: number;
}

/** How often an {@linkcode Observer} looks, in milliseconds. */
const LOOK_EVERY = 15;

/** Looks at connections again and again, from outside. */
export class Observer {
  readonly #pid: number;
  readonly #matches: (row: TcpRow) => boolean;
  readonly #sightings = new Map<string, Sighting>();
  readonly #timer: ReturnType<typeof setInterval>;

  /** Watches those connections in the network namespace of `pid` that `matches` picks. */
  constructor(pid: number, matches: (row: TcpRow) => boolean) {
    this.#pid = pid;
    this.#matches = matches;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
  }

  /** What was seen of the connection whose other end is `remote`. */
  of(remote: string): Sighting {
    const sighting = this.#sightings.get(remote);
    if (sighting === undefined) throw new Error(`No connection to ${remote} was ever seen`);
    return sighting;
  }

  /** Resolves once all of `remotes` are gone, or `within` milliseconds. */
  async gone(remotes: readonly string[], within: number): Promise<void> {
    const until = performance.now() + within;
    while (performance.now() < until && remotes.some((remote) => this.of(remote).goneAt === undefined)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const here = new Set<string>();
    for (const row of tcpRows(this.#pid)) {
      if (row.orphan || !this.#matches(row)) continue;
      here.add(row.remote);
      const sighting = this.#sightings.get(row.remote);
      if (sighting === undefined || sighting.goneAt !== undefined) {
        this.#sightings.set(row.remote, { goneAt: undefined, movedAt: now, unsent: row.unsent });
      } else if (sighting.unsent !== row.unsent) {
        sighting.unsent = row.unsent;
        sighting.movedAt = now;
      }
    }
    for (const [remote, sighting] of this.#sightings) {
      if (!here.has(remote)) sighting.goneAt ??= now;
    }
  }
}
