/**
 * A socket whose other end is the test.
 *
 * @module
 */

import type { Address, Socket, SocketHandler } from "../../lib/transport/transport.ts";

const decoder = new TextDecoder();

/** Writes down what is done to it, and lets the test play kernel and peer. */
export class FakeSocket implements Socket {
  readonly localAddress: Address = { hostname: "127.0.0.1", port: 1 };
  readonly remoteAddress: Address = { hostname: "127.0.0.1", port: 2 };
  /** What reached the kernel, write by write. */
  readonly sent: string[] = [];
  /** Bytes that the kernel still takes. */
  room = Infinity;
  bufferedAmount = 0;
  paused = false;
  finished = false;
  aborted = false;
  held = true;
  handler: SocketHandler | undefined;

  start(handler: SocketHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): boolean {
    if (this.finished || this.aborted) return true;
    const taken = Math.min(bytes.length, this.room);
    this.room -= taken;
    if (taken > 0) this.sent.push(decoder.decode(bytes.subarray(0, taken)));
    this.bufferedAmount += bytes.length - taken;
    return taken === bytes.length;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  shutdown(): void {
    this.finished = true;
  }

  abort(): void {
    this.aborted = true;
    this.bufferedAmount = 0;
  }

  setNoDelay(): void {}
  setTcpKeepAlive(): void {}

  ref(): void {
    this.held = true;
  }

  unref(): void {
    this.held = false;
  }

  /** The peer sends `bytes`, which are changed as soon as the call is over: they were only lent. */
  receive(bytes: string | Uint8Array): void {
    const chunk = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    if (this.handler!.data(chunk) !== true) chunk.fill(0x3f);
  }

  /** The kernel takes `bytes` more of what waits. */
  take(bytes: number): void {
    this.bufferedAmount -= Math.min(bytes, this.bufferedAmount);
    this.handler!.written();
  }

  /** The peer sends FIN. */
  end(): void {
    this.handler!.end();
    if (this.finished) this.handler!.close();
  }

  /** The peer, or the network, drops the connection. */
  fail(code: string): void {
    this.handler!.close(Object.assign(new Error(code), { code }));
  }
}
