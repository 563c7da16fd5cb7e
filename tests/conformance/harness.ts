/**
 * What the conformance tests share: a handler that writes down what happens, and sockets in pairs.
 *
 * @module
 */

import { test } from "node:test";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertRejects, fail } from "@std/assert";
import { ConnectionError } from "../../lib/errors.ts";
import type {
  Address,
  ConnectOptions,
  Listener,
  ListenOptions,
  Socket,
  SocketHandler,
  Target,
  Transport,
} from "../../lib/transport/transport.ts";

/** What kind of address a run of the suite uses. */
export type Kind = "tcp" | "unix";

/** What the suite must know of a transport that {@linkcode Transport.capabilities} does not say. */
export interface Traits {
  /**
   * URL of the module that exports the transport under test: its sockets are the system's, and child processes
   * can use it. Absent for a transport that lives within one process.
   */
  readonly module?: URL | undefined;
  /** Makes an address that takes connections and never answers; only where the system's own will not do. */
  readonly blackHole?: (() => Promise<BlackHole>) | undefined;
  /**
   * A caller of another make, for a transport whose sockets are the system's and that cannot listen. @default one that
   * calls a listener of the transport
   */
  readonly call?: ((bench: Bench) => Promise<Call>) | undefined;
  /** Tests that this transport fails for a reason which is not ours, with that reason. Printed. */
  readonly cannot?: Readonly<Record<string, string>> | undefined;
}

/** A socket of the transport under test, and its peer. */
export interface Call {
  readonly stranger: Stranger;
  readonly socket: Socket;
}

/** A peer of another make. */
export interface Stranger {
  pause(): void;
  end(): void;
  reset(): void;
}

/** An address at which connecting takes for ever. */
export interface BlackHole {
  readonly target: Target;
  close(): Promise<void>;
}

/** One run of the suite. */
export interface Suite extends Traits {
  readonly transport: Transport;
  readonly label: string;
  readonly kind: Kind;
  /** Whether {@linkcode Socket.abort} makes a reset at the peer. */
  readonly resets: boolean;
  /** Whether the transport speaks TLS by itself; see `secured.ts`. */
  readonly secured: boolean;
}

/** Longest that anything may take, in milliseconds: shared machines are slow. */
export const PATIENCE = 20_000;

/** Declares one test of `suite`, which gets a {@linkcode Bench} that is cleared away afterwards. */
export function check(suite: Suite, name: string, body: (bench: Bench) => Promise<void>): void {
  const title = `${nameOf(suite)}: ${name}`;
  const why = suite.cannot?.[name];
  if (why !== undefined) return skip(title, why);
  test(title, { timeout: 6 * PATIENCE }, async () => {
    const bench = new Bench(suite);
    try {
      await body(bench);
    } finally {
      await bench.clear();
    }
  });
}

/** A run of the suite, as the names of its tests begin. */
export const nameOf = ({ label, kind, secured }: Suite): string => `${label} ${kind}${secured ? "+tls" : ""}`;

/** Declares a test that cannot run, and says why. */
export function skip(title: string, why: string): void {
  test(title, { skip: `skipped: ${why}` }, () => {});
  console.log(`skipped: ${title}: ${why}`);
}

/** Opens sockets for one test, and drops all of them after it. */
export class Bench {
  readonly suite: Suite;
  readonly #sockets: Socket[] = [];
  readonly #cleanups: (() => unknown)[] = [];

  constructor(suite: Suite) {
    this.suite = suite;
  }

  /** An address of the suite's kind that is free. */
  target(): Target {
    return this.suite.kind === "tcp" ? { hostname: "127.0.0.1", port: 0 } : { path: this.path() };
  }

  /** A path that is free. */
  path(): string {
    const path = join(tmpdir(), `holdfast-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
    this.#cleanups.push(() => rm(path, { force: true }));
    return path;
  }

  /** Listens, by default on a fresh address. Accepted sockets wait in {@linkcode Door.next}. */
  async listen(options: Partial<ListenOptions> = {}, target: Target = this.target()): Promise<Door> {
    const door = new Door();
    const { transport } = this.suite;
    assert(transport.listen, "transport cannot listen");
    door.listener = await transport.listen(target, {
      ...options,
      accept: (socket) => {
        this.#sockets.push(socket);
        if (options.accept) options.accept(socket);
        else door.push(socket);
      },
    });
    this.#cleanups.push(() => door.listener.close());
    return door;
  }

  /** Connects with the transport under test. */
  async connect(target: Target, options?: ConnectOptions): Promise<Socket> {
    const socket = await within(this.suite.transport.connect(target, options), "connect");
    this.#sockets.push(socket);
    return socket;
  }

  /** Two connected sockets, neither of them started. */
  async pair(): Promise<Pair> {
    const door = await this.listen();
    const [client, server] = await Promise.all([this.connect(door.listener.address), door.next()]);
    return { client, server, door };
  }

  /** Two connected sockets, started, with what happens to them written down. */
  async started(): Promise<{ client: Log; server: Log; door: Door }> {
    const { client, server, door } = await this.pair();
    return { client: new Log(client).start(), server: new Log(server).start(), door };
  }

  /** Has `undo` called after the test, come what may. */
  after(undo: () => unknown): void {
    this.#cleanups.push(undo);
  }

  /** Drops all that was opened. */
  async clear(): Promise<void> {
    for (const socket of this.#sockets) socket.abort();
    for (const undo of this.#cleanups.reverse()) await undo();
  }
}

/** Two connected sockets and the listener between them. */
export interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly door: Door;
}

/** A listener, with the sockets it accepted in order. */
export class Door {
  listener!: Listener;
  readonly #waiting: Socket[] = [];
  #taker: ((socket: Socket) => void) | undefined;

  push(socket: Socket): void {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker) taker(socket);
    else this.#waiting.push(socket);
  }

  /** Sockets that were accepted and not taken. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The next socket that was accepted. */
  next(): Promise<Socket> {
    const socket = this.#waiting.shift();
    if (socket) return Promise.resolve(socket);
    return within(new Promise((resolve) => this.#taker = resolve), "accept");
  }
}

/** A handler that writes down all that is called, and wakes whoever waits for something. */
export class Log implements SocketHandler {
  readonly socket: Socket;
  /** Names of what was called, in order; runs of `data` and of `written` are one entry each. */
  readonly events: string[] = [];
  /** All bytes received, if {@linkcode keep} is on. */
  readonly chunks: Uint8Array[] = [];
  /** Bytes received. */
  received = 0;
  /** Calls of `close`. */
  closes = 0;
  /** What `close` was given. */
  error: Error | undefined;
  /** Whether received bytes are kept. */
  keep = true;
  /** Called first by the method of the same name. */
  onData: ((chunk: Uint8Array) => boolean | void) | undefined;
  onWritten: (() => void) | undefined;
  onEnd: (() => void) | undefined;
  onClose: ((error?: Error) => void) | undefined;
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
  }

  start(): this {
    this.socket.start(this);
    return this;
  }

  data(chunk: Uint8Array): boolean | void {
    this.#note("data");
    this.received += chunk.length;
    if (this.keep) this.chunks.push(Uint8Array.from(chunk));
    const kept = this.onData?.(chunk);
    this.#tell();
    return kept;
  }

  written(): void {
    this.#note("written");
    this.onWritten?.();
    this.#tell();
  }

  end(): void {
    this.events.push("end");
    this.onEnd?.();
    this.#tell();
  }

  close(error?: Error): void {
    this.events.push("close");
    this.closes++;
    this.error = error;
    this.onClose?.(error);
    this.#tell();
  }

  /** Resolves as soon as `condition` holds. It is looked at after each call and now and then. */
  async until(what: string, condition: () => boolean, patience = PATIENCE): Promise<void> {
    const end = performance.now() + patience;
    while (!condition()) {
      if (performance.now() > end) {
        fail(`${what} did not happen in ${patience} ms: saw [${this.events}], ${this.received} bytes`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Resolves once `close` was called. */
  closed(patience?: number): Promise<void> {
    return this.until("close", () => this.closes > 0, patience);
  }

  /** All bytes received. */
  bytes(): Uint8Array {
    return concat(this.chunks);
  }

  /** All bytes received, as text. */
  text(): string {
    return decoder.decode(this.bytes());
  }

  /** The code that `close` came with. */
  code(): string | undefined {
    return (this.error as { code?: string } | undefined)?.code;
  }

  #note(name: string): void {
    if (this.events.at(-1) !== name) this.events.push(name);
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The `ConnectionError` that `promise` rejects with. A socket or listener that came nevertheless is dropped. */
export async function refusal(
  promise: Promise<{ abort?(): void; close?(): unknown }>,
): Promise<ConnectionError> {
  const error = await assertRejects(async () => {
    const opened = await within(promise, "the refusal");
    opened.abort?.();
    await opened.close?.();
  });
  assert(error instanceof ConnectionError, `rejected with ${error}`);
  return error;
}

/** UTF-8 bytes of `text`. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

/** Waits `ms` milliseconds: only to show that something does not happen. */
export const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets `promise` take no longer than the suite's patience. */
export async function within<T>(promise: Promise<T>, what: string, patience: number = PATIENCE): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${patience} ms`)), patience);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `condition` holds, looking every 10 ms. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!await condition()) {
    if (performance.now() > end) fail(`${what} did not come to be in ${PATIENCE} ms`);
    await pass(10);
  }
}

/** `length` bytes, each told by its place in the stream, so that no two pieces can be swapped unseen. */
export function pattern(length: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = patternAt(start + i);
  return bytes;
}

/** The byte of {@linkcode pattern} at a place. */
export function patternAt(at: number): number {
  return (at ^ (at >>> 8) * 31 ^ (at >>> 16) * 131) & 0xff;
}

/** Checks a chunk of {@linkcode pattern}, which begins at `start`; fails at the first wrong byte. */
export function checkPattern(chunk: Uint8Array, start: number): void {
  for (let i = 0; i < chunk.length; i++) {
    if (chunk[i] !== patternAt(start + i)) fail(`byte ${start + i} is wrong`);
  }
}

/** Descriptors that this process holds, or `undefined` where the system does not say. */
export async function descriptors(): Promise<number | undefined> {
  return existsSync("/proc/self/fd") ? (await readdir("/proc/self/fd")).length : undefined;
}

/** An address as a child process takes it. */
export const toArgument = (address: Address): string => JSON.stringify(address);

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
