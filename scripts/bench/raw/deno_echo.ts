/**
 * The best echo server that one can write by hand on `Deno.listen`: what ours is measured against.
 *
 * A chain of `read().then()` and `write().then()` with callbacks made once for a connection, and a buffer that starts
 * small and grows while reads fill it: one of 64 KiB for each would pin as much for each idle connection. What was read
 * is written before the next read, as both use the buffer; so a peer that does not read is not read from either.
 *
 * Arguments: port; and, to send 9 bytes to each connection every so often, the interval in milliseconds.
 *
 * @module
 */

import process from "node:process";
import { beat } from "./beat.ts";
import type { Conn, DenoLike } from "./deno.ts";

const SMALLEST = 1024, LARGEST = 64 * 1024, SPARSE_READS = 4;

const conns = new Set<Echo>();

class Echo {
  readonly #conn: Conn;
  readonly #onRead = (size: number | null): void => this.#read(size);
  readonly #onWritten = (size: number): void => this.#written(size);
  readonly #onFailed = (): void => this.#end();
  #buffer = new Uint8Array(SMALLEST);
  #sparse = 0;
  /** What of the buffer is still to be written. */
  #rest: Uint8Array | undefined;
  #gone = false;

  constructor(conn: Conn) {
    this.#conn = conn;
    conn.setNoDelay(true);
    conns.add(this);
    this.#readMore();
  }

  /** Sends a beat, unless an answer is being written, which it might tear. So few bytes the kernel takes whole. */
  beat(bytes: Uint8Array): void {
    if (this.#rest === undefined) this.#conn.write(bytes).catch(this.#onFailed);
  }

  #readMore(): void {
    this.#conn.read(this.#buffer).then(this.#onRead, this.#onFailed);
  }

  #read(size: number | null): void {
    if (size === null) return this.#end();
    const buffer = this.#buffer;
    const bytes = this.#rest = size === buffer.length ? buffer : buffer.subarray(0, size);
    this.#conn.write(bytes).then(this.#onWritten, this.#onFailed);
  }

  #written(size: number): void {
    const rest = this.#rest!;
    if (size < rest.length) {
      this.#rest = rest.subarray(size);
      this.#conn.write(this.#rest).then(this.#onWritten, this.#onFailed);
      return;
    }
    this.#rest = undefined;
    this.#adapt(rest.byteOffset + rest.length);
    this.#readMore();
  }

  /** Chooses the size for the next read, after one of `size` bytes. */
  #adapt(size: number): void {
    const { length } = this.#buffer;
    if (size === length) {
      if (length < LARGEST) this.#buffer = new Uint8Array(length * 4);
    } else if (length > SMALLEST) {
      this.#sparse = size * 8 > length ? 0 : this.#sparse + 1;
      if (this.#sparse < SPARSE_READS) return;
      this.#sparse = 0;
      this.#buffer = new Uint8Array(length / 4);
    }
  }

  #end(): void {
    if (this.#gone) return;
    this.#gone = true;
    conns.delete(this);
    this.#conn.close();
  }
}

const deno = (globalThis as unknown as { Deno: DenoLike }).Deno;
const [port = 0, interval] = process.argv.slice(2).map(Number);
if (interval !== undefined) beat(conns, interval, (conn, bytes) => conn.beat(bytes));
for await (const conn of deno.listen({ hostname: "127.0.0.1", port })) new Echo(conn);
