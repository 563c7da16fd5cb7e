/**
 * The best server that one can write by hand on `Deno.listen` for messages with their length in front, echoing them.
 *
 * Argument: port.
 *
 * @module
 */

import process from "node:process";
import type { Conn, DenoLike } from "./deno.ts";
import { Incoming, Outgoing } from "./frames.ts";

/** Memory for answers that nobody uses now: an idle connection has none. */
const spare: Outgoing[] = [];

class Echo {
  readonly #conn: Conn;
  readonly #onRead = (size: number | null): void => this.#read(size);
  readonly #onWritten = (size: number): void => this.#written(size);
  readonly #onFailed = (): void => this.#end();
  readonly #incoming = new Incoming();
  #buffer = new Uint8Array(1024);
  #outgoing: Outgoing | undefined;
  /** What is still to be written. */
  #rest: Uint8Array | undefined;
  #gone = false;

  constructor(conn: Conn) {
    this.#conn = conn;
    conn.setNoDelay(true);
    this.#readMore();
  }

  #readMore(): void {
    this.#conn.read(this.#buffer).then(this.#onRead, this.#onFailed);
  }

  #read(size: number | null): void {
    if (size === null) return this.#end();
    const buffer = this.#buffer;
    const outgoing = spare.pop() ?? new Outgoing();
    this.#incoming.answer(size === buffer.length ? buffer : buffer.subarray(0, size), outgoing);
    if (size === buffer.length && size < 64 * 1024) this.#buffer = new Uint8Array(size * 4);
    const bytes = outgoing.take();
    if (bytes.length === 0) {
      spare.push(outgoing);
      return this.#readMore();
    }
    this.#outgoing = outgoing;
    this.#rest = bytes;
    this.#conn.write(bytes).then(this.#onWritten, this.#onFailed);
  }

  #written(size: number): void {
    const rest = this.#rest!;
    if (size < rest.length) {
      this.#rest = rest.subarray(size);
      this.#conn.write(this.#rest).then(this.#onWritten, this.#onFailed);
      return;
    }
    spare.push(this.#outgoing!);
    this.#outgoing = this.#rest = undefined;
    this.#readMore();
  }

  #end(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#conn.close();
  }
}

const deno = (globalThis as unknown as { Deno: DenoLike }).Deno;
for await (const conn of deno.listen({ hostname: "127.0.0.1", port: Number(process.argv[2]) })) {
  new Echo(conn);
}
