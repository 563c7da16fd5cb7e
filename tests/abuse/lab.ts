/**
 * Abuses servers, and watches what becomes of them and of their friends.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  connect,
  type Connection,
  detectTransport,
  frames,
  json,
  lines,
  type Protocol,
  raw,
} from "../../mod.ts";
import { certificates } from "../support/certificates.ts";
import { launch, pause, type Running } from "../support/processes.ts";
import { commandFor } from "../support/runtime.ts";
import { type Scheduled, scheduled, stretched } from "../support/scheduled.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { type Deeds, type Health, KEY, type Orders, TOKEN, type Victim } from "./setting.ts";

/** How slow the slowest answer but one in a hundred may be for a friend, in milliseconds. */
const SLOWEST_ANSWER = 150;
/** The same of a server of which nobody wants anything, at most: a machine that is busier than that says nothing of ours. */
const MOST_NOISE = 300;
/** By how much memory may have grown in the end. */
export const MEMORY = 32 << 20;
/** How long the server may take to be rid of those who have gone: its longest deadline, and what a busy machine adds. */
export const AFTERMATH = 8_000;

/**
 * Deno 2.9.6 keeps some 40 KiB of every `TLSSocket` that was destroyed amid its handshake, whatever is done to it. There
 * the server that speaks TLS is attacked too, but after memory was looked at.
 */
const LEAKS = "Deno" in globalThis;

/** What a friend asks, at what pace, in milliseconds. */
const PACE = 40;
/** An answer that takes longer than this is none. */
const NO_ANSWER = 10_000;

type AnyConnection = Connection<unknown, unknown>;

/** A client that does nothing wrong. */
class Friend {
  readonly tongue: string;
  readonly #connection: AnyConnection;
  readonly #times: number[] = [];
  #count = 0;
  #answer: ((message: string) => void) | undefined;
  #over = false;
  /** What went wrong. */
  fault: string | undefined;
  readonly #talking: Promise<void>;

  private constructor(tongue: string, connection: AnyConnection) {
    this.tongue = tongue;
    this.#connection = connection;
    let rest = "";
    connection.onMessage = (message) => {
      if (tongue !== "raw") return this.#answer?.(String(message));
      // Chunks have no borders that mean anything.
      rest += new TextDecoder().decode(message as Uint8Array);
      for (let end = rest.indexOf(";"); end >= 0; end = rest.indexOf(";")) {
        this.#answer?.(rest.slice(0, end + 1));
        rest = rest.slice(end + 1);
      }
    };
    void connection.closed.then((reason) => {
      if (!this.#over) this.fault ??= `was ended: ${reason.message} (${reason.code})`;
      this.#answer?.("");
    });
    this.#talking = this.#talk();
  }

  static async greet({ tongue, port }: Victim, plain: Transport, ca: string): Promise<Friend> {
    const protocols: Record<string, Protocol<never>> = {
      raw: raw({ token: TOKEN, match: "anywhere" }) as never,
      lines: lines() as never,
      frames: frames() as never,
      keyed: frames({ key: KEY }) as never,
      json: json() as never,
      proxied: lines() as never,
      tls: lines() as never,
    };
    const connection = await connect({ hostname: "127.0.0.1", port }, {
      protocol: protocols[tongue] as unknown as Protocol<unknown>,
      heartbeat: { interval: 2_000, timeout: 10_000 },
      ...(tongue === "tls" && { tls: { ca } }),
      ...(tongue === "proxied" && { transport: proxied(plain) }),
      ...((tongue === "frames" || tongue === "keyed") && { resume: true, reconnect: false as never }),
    });
    return new Friend(tongue, connection);
  }

  /** How long each answer took since the last look. */
  times(): number[] {
    return this.#times.splice(0);
  }

  async leave(): Promise<void> {
    this.#over = true;
    await this.#talking;
    await this.#connection.close();
  }

  async #talk(): Promise<void> {
    while (!this.#over && this.fault === undefined) {
      await this.#ask(`friend ${++this.#count};`);
      await pause(PACE);
    }
  }

  async #ask(question: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answered = new Promise<string>((resolve) => {
      this.#answer = resolve;
      timer = setTimeout(() => resolve("nothing"), NO_ANSWER);
    });
    const start = performance.now();
    void this.#connection.send(question).catch(() => {});
    const answer = await answered;
    clearTimeout(timer);
    this.#answer = undefined;
    if (answer === question) this.#times.push(performance.now() - start);
    else if (!this.#over) this.fault ??= `asked ${question} and heard ${answer}`;
  }
}

/** Servers, their friends, and those who attack them. */
export class Lab {
  readonly victims: readonly Victim[];
  /** Names of what can be done to them. */
  readonly assaults: readonly string[];
  readonly #server: Running;
  readonly #attackers: Running;
  readonly #friends: readonly Friend[];
  /** A server like those that are attacked, which nobody attacks, and its friends: what they feel is the machine. */
  readonly #control: Running;
  readonly #witnesses: readonly Friend[];
  #noise: number[] = [];
  readonly #then: Scheduled;

  private constructor(
    server: Running,
    victims: readonly Victim[],
    attackers: Running,
    assaults: readonly string[],
    friends: readonly Friend[],
    control: Running,
    witnesses: readonly Friend[],
  ) {
    this.#control = control;
    this.#witnesses = witnesses;
    this.#then = scheduled(server.pid);
    this.#server = server;
    this.victims = victims;
    this.#attackers = attackers;
    this.assaults = assaults;
    this.#friends = friends;
  }

  /** Starts all of them, with `each` friends of each server. */
  static async open(each = 1): Promise<Lab> {
    const { authority, server: identity } = await certificates();
    const { certificate, key } = identity;
    const command = withGarbageCollector(program("server.ts"), JSON.stringify({ certificate, key }));
    const server = launch(command), control = launch(command);
    const { victims } = await server.told<{ victims: Victim[] }>();
    const { victims: spared } = await control.told<{ victims: Victim[] }>();
    const attackers = launch(commandFor(program("attackers.ts"), []));
    const { assaults } = await attackers.told<{ assaults: string[] }>();
    const plain = await detectTransport();
    const friends: Friend[] = [];
    for (const victim of victims) {
      for (let i = 0; i < each; i++) friends.push(await Friend.greet(victim, plain, authority.certificate));
    }
    const witnesses: Friend[] = [];
    for (const victim of spared.filter(({ tongue }) => tongue === "lines" || tongue === "frames")) {
      witnesses.push(await Friend.greet(victim, plain, authority.certificate));
    }
    return new Lab(server, victims, attackers, assaults, friends, control, witnesses);
  }

  /** How many friends there are. */
  get friends(): number {
    return this.#friends.length;
  }

  /** Victims whose memory the runtime itself does not give back: see {@linkcode LEAKS}. */
  get leaky(): readonly Victim[] {
    return this.victims.filter(({ tongue }) => LEAKS && tongue === "tls");
  }

  /** Has the servers attacked, those that do not leak unless told, and says what the attackers have done so far. */
  async attack(
    orders: Omit<Orders, "victims">,
    victims: readonly Victim[] = this.victims.filter((victim) => !this.leaky.includes(victim)),
  ): Promise<Deeds> {
    this.#attackers.tell(JSON.stringify({ ...orders, victims }));
    return await this.#attackers.told<Deeds>();
  }

  /** How long friends waited for answers since the last look, the shortest first, in milliseconds. */
  times(): number[] {
    return this.#friends.flatMap((friend) => friend.times()).sort((a, b) => a - b);
  }

  /**
   * How slow the slowest answer but one in a hundred may be, and why: {@linkcode SLOWEST_ANSWER}, longer by as much as the
   * server had to wait for a processor, and what friends of a server felt meanwhile that nobody attacked. `Infinity` if
   * that was so much that nothing can be said.
   */
  bearable(): { readonly time: number; readonly why: string } {
    this.#noise.push(...this.#witnesses.flatMap((friend) => friend.times()));
    const noise = percentile(this.#noise.sort((a, b) => a - b), 0.99);
    const stretch = stretched(this.#server.pid, this.#then);
    const time = noise > MOST_NOISE ? Infinity : SLOWEST_ANSWER * stretch + noise;
    return {
      time,
      why: `bearable ${Math.round(time)} ms: a server that nobody attacks ${
        Math.round(noise)
      } ms, work takes ${stretch.toFixed(1)} times its time`,
    };
  }

  /** What friends have to complain of. */
  complaints(): string[] {
    return [...this.#friends, ...this.#witnesses].flatMap(({ tongue, fault }) =>
      fault === undefined ? [] : [`${tongue}: ${fault}`]
    );
  }

  async health(what: "health" | "rest" | "break" = "health"): Promise<Health & { descriptors: number }> {
    this.#server.tell(what);
    const health = await this.#server.told<Health>();
    return { ...health, descriptors: readdirSync(`/proc/${this.#server.pid}/fd`).length };
  }

  /**
   * Waits until only friends are left and memory has had time to come back: for `enough`, and at most
   * {@linkcode AFTERMATH}. Returns what it was at its best.
   */
  async settled(enough: (health: Health & { descriptors: number }) => boolean) {
    const until = performance.now() + AFTERMATH;
    for (;;) {
      const health = await this.health("rest");
      if (enough(health) || performance.now() > until) return health;
      await pause(300);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#friends, ...this.#witnesses].map((friend) => friend.leave()));
    for (const running of [this.#server, this.#control, this.#attackers]) {
      running.closeInput();
      await running.ended();
    }
  }
}

/** Connections and sessions, over all servers. */
export function heldBy({ servers }: Health): number {
  return Object.values(servers).reduce((sum, { now, held }) => sum + Math.max(now, held), 0);
}

/** The value below which `share` of `sorted` are; 0 of none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function program(name: string): string {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}

/** The command of a program that may tidy its memory when it is told to. */
function withGarbageCollector(file: string, argument: string): string[] {
  const [runtime, ...rest] = commandFor(file, [argument]);
  if (rest[0] !== "run") return [runtime, "--expose-gc", ...rest];
  // Bun has it anyway.
  return rest.includes("--no-lock")
    ? [runtime, "run", "--v8-flags=--expose-gc", ...rest.slice(1)]
    : [runtime, ...rest];
}

/** Speaks for its caller first, as a proxy does. */
function proxied(transport: Transport): Transport {
  return {
    name: transport.name,
    capabilities: transport.capabilities,
    async connect(target, options) {
      const socket = await transport.connect(target, options);
      socket.write(new TextEncoder().encode("PROXY TCP4 192.0.2.7 192.0.2.1 7 8\r\n"));
      return socket;
    },
  };
}
