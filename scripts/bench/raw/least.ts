/**
 * The least that an async iterator or a pair of WHATWG streams over a socket can be, on each runtime: no limits, no
 * back-pressure, no ends told apart, and nobody is ever given up. What they take more than the raw server is the price of
 * promises and of the runtime's own streams, whoever uses them. Good for nothing but to be compared with.
 *
 * Arguments: port; `iterator` or `streams`.
 *
 * @module
 */

import { createServer } from "node:net";
import process from "node:process";
import type { BunLike } from "./bun.ts";
import type { Conn, DenoLike } from "./deno.ts";

const [number, form] = process.argv.slice(2);
const port = Number(number), hostname = "127.0.0.1";

const { Bun, Deno } = globalThis as unknown as { Bun?: BunLike; Deno?: DenoLike };

/** Memory for reads on Deno, and how little of it is not read into any more: what was read is the receiver's own. */
const SPACE = 64 * 1024, LITTLE = 16 * 1024;

type Send = (bytes: Uint8Array) => void | Promise<void>;

/** Chunks that were pushed, one at a time: nobody asks for the next before the last was answered. */
class Chunks {
  readonly #waiting: Uint8Array[] = [];
  #resolve: ((result: IteratorResult<Uint8Array>) => void) | undefined;

  push(value: Uint8Array): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    if (resolve !== undefined) resolve({ done: false, value });
    else this.#waiting.push(value);
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#waiting.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    return new Promise((resolve) => this.#resolve = resolve);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

async function echoAll(chunks: Chunks, send: Send): Promise<void> {
  // Waits as one does for our `send()`, which is a promise, too.
  for await (const chunk of chunks) await send(chunk);
}

/** Answers by `send` what the function that is returned is given. */
function answerer(send: Send): (chunk: Uint8Array) => void {
  if (form === "streams") {
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const readable = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
    const writable = new WritableStream<Uint8Array>({ write: (chunk) => send(chunk) });
    readable.pipeTo(writable).catch(() => {});
    return (chunk) => controller.enqueue(chunk);
  }
  const chunks = new Chunks();
  echoAll(chunks, send).catch(() => {});
  return (chunk) => chunks.push(chunk);
}

async function writeAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(at === 0 ? bytes : bytes.subarray(at));
}

async function echoConn(conn: Conn): Promise<void> {
  conn.setNoDelay(true);
  const answer = answerer((bytes) => writeAll(conn, bytes));
  let space = new Uint8Array(SPACE);
  for (let size; (size = await conn.read(space)) !== null;) {
    answer(space.subarray(0, size));
    space = space.length - size < LITTLE ? new Uint8Array(SPACE) : space.subarray(size);
  }
  conn.close();
}

if (Deno !== undefined) {
  for await (const conn of Deno.listen({ hostname, port })) echoConn(conn).catch(() => {});
} else if (Bun !== undefined) {
  Bun.listen<(chunk: Uint8Array) => void>({
    ...{ hostname, port, allowHalfOpen: false },
    socket: {
      binaryType: "uint8array",
      open: (socket) => void (socket.data = answerer((bytes) => void socket.write(bytes))),
      data: (socket, bytes) => socket.data(bytes),
      drain() {},
      end() {},
      close() {},
      error() {},
    },
  });
} else {
  createServer({ noDelay: true }, (socket) => {
    socket.on("data", answerer((bytes) => void socket.write(bytes))).on("error", () => {});
  }).listen({ host: hostname, port, backlog: 511 });
}
