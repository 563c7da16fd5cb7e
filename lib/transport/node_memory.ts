/**
 * Reading into memory of one's own on Node.
 *
 * For each read Node makes an array of 64 KiB, gives back what was not filled, and makes a view of the rest: on a busy
 * socket that costs as much as all else. Its way around that is the option `onread` of `net.Socket`, which it takes for
 * sockets that a program makes, but not for those that a server accepts. These have the same fields for it, under names
 * that no program knows: so they are looked for in a socket that was made with the option. Where they are not found, as on
 * other runtimes that have `node:net`, sockets read as ever.
 *
 * @module
 */

import type net from "node:net";

/** Functions that all sockets share. */
export interface OnRead {
  /** Called when `size` bytes have been read. */
  callback(this: net.Socket, size: number): void;
  /** Called right after it: where the next read of the same socket goes. Not empty. */
  buffer(): Uint8Array;
}

/** The names under which a `net.Socket` keeps its memory, and both functions. */
interface Names {
  readonly memory: symbol;
  readonly callback: symbol;
  readonly buffer: symbol;
}

/** What has such fields, and reads by a handle. */
interface Reader {
  [name: symbol]: unknown;
  readonly _handle?: { useUserBuffer?(memory: Uint8Array): unknown } | null;
}

/** Bytes of one memory, and how many sockets share it: all of them have to be told when it is somebody's alone. */
const SIZE = 64 * 1024, MOST = 64;

/** Not looked for yet if it is `undefined`. */
let names: Names | null | undefined;

/** Where there is a place left. */
let roomy: SharedMemory | undefined;

/**
 * Memory into which several sockets read, as each chunk is done with before the next one is read. What one of them leaves in
 * it stays there, and the others read elsewhere.
 */
export class SharedMemory {
  space: Uint8Array = new Uint8Array(SIZE);
  readonly #sockets = new Set<net.Socket>();

  /** Has `raw`, of which nothing waits that was read, read into such memory from now on, if it can. */
  static join(raw: net.Socket, { callback, buffer }: OnRead): SharedMemory | undefined {
    if (names === undefined) names = namesIn(raw.constructor as typeof net.Socket);
    const reader = raw as unknown as Reader;
    if (names === null || reader._handle?.useUserBuffer === undefined || reader[names.memory] !== null) {
      return;
    }
    if (roomy === undefined || roomy.#sockets.size >= MOST) roomy = new SharedMemory();
    roomy.#sockets.add(raw);
    reader[names.callback] = callback;
    reader[names.buffer] = buffer;
    direct(raw, roomy.space, names);
    return roomy;
  }

  /** What a read of `length` bytes brought. */
  chunk(length: number): Uint8Array {
    return this.space.subarray(0, length);
  }

  /** `raw` does not read into it any more; `left` says whether some of it is somebody's. */
  part(raw: net.Socket, left: boolean): void {
    this.#sockets.delete(raw);
    if (left) this.renew();
  }

  /** Has all of them read elsewhere. */
  renew(): void {
    this.space = new Uint8Array(SIZE);
    for (const raw of this.#sockets) direct(raw, this.space, names!);
  }
}

/** New memory for reads only, whatever is in it: to fill 64 KiB with zeros takes longer than to read them. */
export function unfilled(size: number): Uint8Array {
  const { Buffer } = globalThis as { Buffer?: { allocUnsafeSlow(size: number): Uint8Array } };
  return Buffer === undefined ? new Uint8Array(size) : new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}

/** Has `raw` read into `memory`, which nobody may free while it does: not by handing it to another thread, either. */
function direct(raw: net.Socket, memory: Uint8Array, { memory: name }: Names): void {
  const reader = raw as unknown as Reader;
  reader._handle?.useUserBuffer?.(memory);
  reader[name] = memory;
}

function namesIn(Socket: typeof net.Socket): Names | null {
  const { process } = globalThis as {
    process?: { platform: string; versions: { bun?: string; deno?: string } };
  };
  // Elsewhere they mean something else, or nothing; and Windows may have been given the memory before it reads.
  if (process === undefined || process.platform === "win32") return null;
  if (process.versions.bun !== undefined || process.versions.deno !== undefined) return null;
  const bytes = new Uint8Array(1), next = () => bytes, callback = () => true;
  const find = (buffer: Uint8Array | (() => Uint8Array), value: unknown) => {
    const socket = new Socket(
      { onread: { buffer, callback } } as net.SocketConstructorOpts,
    ) as unknown as Reader;
    return Object.getOwnPropertySymbols(socket).find((name) => socket[name] === value);
  };
  const found = { memory: find(bytes, bytes), callback: find(bytes, callback), buffer: find(next, next) };
  return Object.values(found).every((name) => name !== undefined) ? found as Names : null;
}
