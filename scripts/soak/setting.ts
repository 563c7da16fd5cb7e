/**
 * What the two processes of a soak agree on.
 *
 * @module
 */

/** Of those whose connections must stay, and of those who come and go. */
export const STEADY_HEARTBEAT = { interval: 5_000, timeout: 15_000 } as const;

/** Short, so that a cut is found soon. */
export const SESSION_HEARTBEAT = { interval: 1_000, timeout: 2_000 } as const;

/** What the server's process says of itself. */
export interface ServerReport {
  /** Memory of the process after its garbage was collected, in bytes. */
  readonly memory: number;
  /** Bytes of objects and buffers. */
  readonly heap: number;
  /** Entries of the wheel: one for each thing that waits for a time. */
  readonly timers: number;
  readonly descriptors: number;
  /** Connections, of all servers. */
  readonly now: number;
  readonly sessions: number;
  /** Messages of clients with sessions that were not the next one. */
  readonly astray: number;
  readonly uncaught: readonly string[];
  readonly ended: Readonly<Record<string, number>>;
}
