/**
 * Callers over real sockets, who know nothing of this module.
 *
 * @module
 */

import net from "node:net";

/** How long an answer may take, in milliseconds. */
const PATIENCE = 5_000;

/** One caller. */
export interface Caller {
  /** Whether the server has ended the connection, or none came to be. */
  readonly closed: boolean;
  /** All that was received. */
  readonly received: string;
  write(bytes: string | Uint8Array): void;
  /** Sends `text`, and resolves to whether as many bytes came back in time. */
  ask(text?: string, within?: number): Promise<boolean>;
  /** Reads no more. */
  pause(): void;
  /** Ends the connection at once. */
  leave(): void;
}

/** Calls `port` from the loopback address `from`. Resolves once connected, or when that failed. */
export function call(port: number, from = "127.0.0.1", host = "127.0.0.1"): Promise<Caller> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host, localAddress: from });
    let closed = false, received = "", wake = () => {};
    const caller: Caller = {
      get closed() {
        return closed;
      },
      get received() {
        return received;
      },
      write: (bytes) => void (closed || socket.write(bytes)),
      async ask(text = "?", within = PATIENCE) {
        const wanted = received.length + text.length;
        if (!closed) socket.write(text);
        const until = performance.now() + within;
        while (!closed && received.length < wanted && performance.now() < until) {
          await new Promise<void>((go) => {
            const timer = setTimeout(go, 50);
            wake = () => {
              clearTimeout(timer);
              go();
            };
          });
        }
        return received.length >= wanted;
      },
      pause: () => void socket.pause(),
      leave: () => void socket.destroy(),
    };
    const end = () => {
      closed = true;
      wake();
      resolve(caller);
    };
    socket.on("connect", () => resolve(caller));
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      wake();
    });
    // It reads to the end, and so sees FIN; a reset comes as an error.
    socket.on("end", end).on("error", end).on("close", end);
  });
}

/** Waits until `condition` holds. Returns how long that took, in milliseconds; `Infinity` if it did not come to be. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  within: number = PATIENCE,
): Promise<number> {
  const start = performance.now();
  while (performance.now() - start < within) {
    if (await condition()) return performance.now() - start;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return Infinity;
}
