/**
 * What the three processes of an abuse agree on: the server, those who attack it, and the one who watches.
 *
 * @module
 */

/** What a server speaks, and so what a stream must look like to be almost right. */
export type Tongue = "raw" | "lines" | "frames" | "keyed" | "json" | "proxied" | "tls";

/** All of them. */
export const TONGUES: readonly Tongue[] = ["raw", "lines", "frames", "keyed", "json", "proxied", "tls"];

/** A server that is attacked. */
export interface Victim {
  readonly tongue: Tongue;
  readonly port: number;
}

/** The heartbeat of the raw protocol here. */
export const TOKEN = "heartbeat";

/** Known to the servers and their friends, and not to those who attack them. */
export const KEY = "known to friends alone";

/** What `npm run abuse` asks of those who attack. */
export interface Orders {
  /** Names of assaults, which are made at the same time. */
  readonly assaults: readonly string[];
  readonly victims: readonly Victim[];
  /** Callers of each assault at a time. */
  readonly callers: number;
  /** How long, in milliseconds. */
  readonly time: number;
  readonly seed: number;
}

/** What they have done. */
export interface Deeds {
  readonly connections: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** What the server's process says of itself. */
export interface Health {
  /** Errors that nobody caught, with their stacks: there must be none. */
  readonly uncaught: readonly string[];
  /** Memory of the process, and of the heap, in bytes. */
  readonly memory: number;
  readonly heap: number;
  /** Entries of the wheel: one for each thing that waits for a time. */
  readonly timers: number;
  readonly servers: Readonly<Record<string, Tallied>>;
  /** Errors that `onError` was told of. */
  readonly errors: number;
}

/** What one of its servers says. */
export interface Tallied {
  readonly now: number;
  readonly accepted: number;
  readonly refused: number;
  readonly heldBytes: number;
  /** What the application was given: connections, or sessions with those that are away. */
  readonly held: number;
  readonly ended: Readonly<Record<string, number>>;
}
