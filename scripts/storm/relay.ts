/**
 * A TCP relay that cuts what passes through it, as networks do.
 *
 * @module
 */

import { createConnection, createServer, type Server, type Socket } from "node:net";

/** How a connection is cut: with a reset, with an end that nobody meant, or with silence. */
export type Cut = "reset" | "end" | "black hole";

/** All of them. */
export const CUTS: readonly Cut[] = ["reset", "end", "black hole"];

/** How long the ends of a black hole may take to notice before the relay lets go of them, in milliseconds. */
const FORGET = 5_000;

/** Both halves of one connection. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Bytes that still pass, in both directions together, before `cut` happens. */
  left: number;
  cut: Cut | undefined;
  /** Bytes that have passed from the server. */
  answered: number;
}

/** Stands between one client and the server. */
export class Relay {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #sockets = new Set<Socket>();
  readonly #to: number;
  /** The last connection that passes. */
  #live: Pair | undefined;
  /** Connections that were made through it. */
  connections = 0;

  private constructor(to: number) {
    this.#to = to;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  /** Listens on a port of its own, and passes on to the port `to`. */
  static async open(to: number): Promise<Relay> {
    const relay = new Relay(to);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once("error", reject);
      relay.#server.listen(0, "127.0.0.1", resolve);
    });
    return relay;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Whether a connection passes on which the server has answered. */
  get passes(): boolean {
    return (this.#live?.answered ?? 0) > 0;
  }

  /** Cuts the connection of this moment, after `bytes` more have passed. Returns whether there was one. */
  cut(how: Cut, bytes: number): boolean {
    const pair = this.#live;
    if (pair === undefined || !this.passes) return false;
    this.#live = undefined;
    pair.cut = how;
    pair.left = bytes;
    if (bytes === 0) this.#break(pair);
    // If nothing more comes to be cut in the midst of.
    else setTimeout(() => this.#break(pair), 50);
    return true;
  }

  /** Stops. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(near: Socket): void {
    const far = createConnection({ host: "127.0.0.1", port: this.#to, allowHalfOpen: true });
    const pair: Pair = { near, far, left: Infinity, cut: undefined, answered: 0 };
    this.connections++;
    this.#live = pair;
    this.#pairs.add(pair);
    this.#pass(pair, near, far);
    this.#pass(pair, far, near);
  }

  #pass(pair: Pair, from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (chunk: Uint8Array) => {
      // What comes out of a black hole, or after a cut, is gone.
      if (!this.#pairs.has(pair)) return;
      const part = chunk.subarray(0, Math.min(chunk.length, pair.left));
      pair.left -= part.length;
      if (from === pair.far) pair.answered += part.length;
      if (part.length > 0 && !to.destroyed) to.write(part);
      if (pair.left === 0) this.#break(pair);
    });
    from.on("end", () => this.#pairs.has(pair) && to.end());
    from.on("error", () => this.#pairs.has(pair) && reset(to));
    from.on("close", () => {
      this.#sockets.delete(from);
      if (this.#live === pair) this.#live = undefined;
      if (this.#pairs.has(pair) && !to.destroyed) to.end();
    });
  }

  #break(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    const { near, far, cut } = pair;
    if (cut === "reset") {
      reset(near);
      reset(far);
    } else if (cut === "end") {
      near.end();
      far.end();
    }
    const timer = setTimeout(() => {
      near.destroy();
      far.destroy();
    }, FORGET);
    far.on("close", () => near.destroyed && clearTimeout(timer));
    near.on("close", () => far.destroyed && clearTimeout(timer));
  }
}

/** Drops a connection with RST, where the runtime can. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
  else socket.destroy();
}
