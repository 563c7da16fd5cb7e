/**
 * A caller who means no good: a plain socket, on which anything may be written and nothing has to be read.
 *
 * Whatever happens to it is no error here: to be thrown out is what it came for.
 *
 * @module
 */

import { createConnection, type Socket } from "node:net";

/** What all callers have done. */
export const deeds = { connections: 0, bytesSent: 0, bytesReceived: 0 };

/** Longest time for anything, in milliseconds. */
const PATIENCE = 2_000;

/** One connection. */
export class Caller {
  readonly #socket: Socket;
  /** Everything ends with it. */
  readonly closed: Promise<void>;
  #wake = (): void => {};
  #received = 0;
  #open = true;
  /** What came first, at most a few hundred bytes. */
  #first = new Uint8Array(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      deeds.bytesReceived += chunk.length;
      this.#received += chunk.length;
      if (this.#first.length < 300) {
        this.#first = Uint8Array.from([...this.#first, ...chunk.subarray(0, 300)]);
      }
      this.#wake();
    });
    socket.on("drain", () => this.#wake());
    socket.on("end", () => this.#wake());
    this.closed = new Promise((resolve) =>
      socket.on("close", () => {
        this.#open = false;
        this.#wake();
        resolve();
      })
    );
  }

  /** Calls; `undefined` if nobody answers. */
  static open(port: number): Promise<Caller | undefined> {
    return new Promise((resolve) => {
      const socket = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true });
      const timer = setTimeout(() => {
        socket.destroy();
        resolve(undefined);
      }, PATIENCE);
      socket.on("error", () => {
        clearTimeout(timer);
        socket.destroy();
        resolve(undefined);
      });
      socket.on("connect", () => {
        clearTimeout(timer);
        deeds.connections++;
        resolve(new Caller(socket));
      });
    });
  }

  get open(): boolean {
    return this.#open && !this.#socket.destroyed && this.#socket.writable;
  }

  /** What came first. */
  get first(): Uint8Array {
    return this.#first;
  }

  /** Writes, and waits until the system has taken most of it, for so long and no longer. */
  async write(bytes: Uint8Array, patience = 200): Promise<boolean> {
    if (!this.open) return false;
    deeds.bytesSent += bytes.length;
    if (!this.#socket.write(bytes)) await this.#something(patience);
    return this.open;
  }

  /** Waits until `count` bytes have come, or it is over. */
  async heard(count: number, patience: number): Promise<void> {
    for (const until = performance.now() + patience; this.open && this.#received < count;) {
      const left = until - performance.now();
      if (left <= 0) return;
      await this.#something(left);
    }
  }

  /** Waits until the server throws it out, for so long and no longer. */
  async thrownOut(patience: number): Promise<void> {
    await Promise.race([this.closed, pause(patience)]);
  }

  /** Says that it has nothing more to say. */
  finish(): void {
    if (this.open) this.#socket.end();
  }

  /** Reads nothing from now on. */
  deafen(): void {
    this.#socket.pause();
  }

  /** Goes, with a reset where the runtime can. */
  reset(): void {
    if (this.#socket.destroyed) return;
    if (typeof this.#socket.resetAndDestroy === "function") this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Goes. */
  leave(): void {
    this.#socket.destroy();
  }

  async #something(patience: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, patience);
    });
    clearTimeout(timer);
  }
}

/** Waits for `milliseconds`. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
