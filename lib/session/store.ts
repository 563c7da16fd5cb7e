/**
 * Where sessions wait while no process has them.
 *
 * @module
 */

import { type Clock, systemClock } from "../time/clock.ts";

/** A session at rest: plain data, so that it can be kept outside the process. */
export interface SessionRecord {
  /** By what it is found: the id of its ticket, in hexadecimal. */
  readonly id: string;
  /** What proves the right to it. */
  readonly secret: Uint8Array;
  /** How many messages of the client the application has taken. */
  readonly received: number;
  /** How many messages of the server the client has acknowledged. */
  readonly acknowledged: number;
  /** The messages of the server after those, encoded, each as its pieces. */
  readonly unacknowledged: readonly (readonly Uint8Array[])[];
}

/**
 * Keeps sessions between one process and the next. A server that drains puts its sessions here; the server to which a
 * client comes back takes them. Behind it may be a file, Redis, or what the processes share.
 */
export interface SessionStore {
  /** Keeps `record` for `window` milliseconds. */
  put(record: SessionRecord, window: number): Promise<void> | void;
  /** Gives a session away, and forgets it: of two that ask for the same, only one may get it. */
  take(id: string): Promise<SessionRecord | undefined> | SessionRecord | undefined;
}

/**
 * Keeps sessions in the memory of this process, for servers that follow each other in it.
 *
 * @example
 * ```ts
 * import { frames, memoryStore, serve } from "@holdfast/holdfast";
 *
 * const store = memoryStore();
 * const options = { port: 0, protocol: frames(), resume: { store } };
 * const first = await serve(options, (connection) => {
 *   connection.onMessage = (message) => connection.send(message);
 * });
 * await first.drain();
 * ```
 */
export function memoryStore(clock: Clock = systemClock): SessionStore {
  const records = new Map<string, { readonly record: SessionRecord; readonly until: number }>();
  return {
    put(record, window) {
      const now = clock.now();
      for (const [id, { until }] of records) if (until <= now) records.delete(id);
      records.set(record.id, { record, until: now + window });
    },
    take(id) {
      const kept = records.get(id);
      records.delete(id);
      return kept !== undefined && kept.until > clock.now() ? kept.record : undefined;
    },
  };
}
