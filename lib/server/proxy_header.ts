/**
 * The PROXY protocol of HAProxy, versions 1 and 2: what a proxy says of its caller, before that one's first byte.
 *
 * Strict, since a header that is not quite one may be a caller who pretends to be a proxy. No I/O (sans-IO): bytes
 * come in, in any pieces, and a header comes out.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { formatIp, parseIp } from "./ip.ts";
import type { Address } from "../transport/transport.ts";

/** What a proxy said. */
export interface ProxyHeader {
  /** Version of the protocol. */
  readonly version: 1 | 2;
  /** Who called the proxy; `undefined` if it does not say: a check of its own (`LOCAL`), or an unknown caller. */
  readonly source: Address | undefined;
  /** What was called; `undefined` with {@linkcode source}. */
  readonly destination: Address | undefined;
}

const V1_START = new TextEncoder().encode("PROXY ");
const V2_START = new TextEncoder().encode("\r\n\r\n\0\r\nQUIT\n");
/** Longest line of version 1, with its CRLF. */
const V1_LENGTH = 107;
/** Version 2 up to the addresses. */
const V2_LENGTH = 16;
/** Bytes of the addresses of version 2, by family and kind. Datagrams (2) do not come over a connection. */
const V2_SIZES: Readonly<Record<number, number>> = { 0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216 };
/** Bytes of one path in them. */
const PATH_LENGTH = 108;
const CR = 0x0d, LF = 0x0a;

/** One connection's header. Holds 232 bytes at most: extensions (TLVs) are skipped as they come. */
export class ProxyHeaderDecoder {
  readonly #bytes = new Uint8Array(V2_LENGTH + 2 * PATH_LENGTH);
  #filled = 0;
  /** Where the part of version 2 that is kept ends, once that is known; what follows is skipped. */
  #end: number | undefined;
  #skip = 0;
  #header: ProxyHeader | undefined;

  /** The header, once it is whole. */
  get header(): ProxyHeader | undefined {
    return this.#header;
  }

  /**
   * Takes a chunk. Returns how many of its bytes are the header's; what follows is the caller's.
   *
   * @throws {ProtocolError} If these bytes are no header.
   */
  receive(chunk: Uint8Array): number {
    let at = 0;
    while (this.#header === undefined && at < chunk.length) {
      if (this.#skip > 0 && this.#filled === this.#end) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        at += skipped;
        this.#skip -= skipped;
      } else {
        this.#bytes[this.#filled++] = chunk[at++]!;
      }
      this.#look();
    }
    return at;
  }

  /** Looks at what the last byte has changed. */
  #look(): void {
    const bytes = this.#bytes, last = this.#filled - 1;
    const first = bytes[0] === V1_START[0];
    const start = first ? V1_START : V2_START;
    if (last < start.length) {
      if (bytes[last] === start[last]) return;
      fail(`must begin as version 1 or 2 do: byte ${last} is ${hex(bytes[last]!)}`);
    }
    if (first) this.#lookAtLine(last);
    else this.#lookAtBlock();
  }

  #lookAtLine(last: number): void {
    const bytes = this.#bytes;
    const ends = bytes[last] === LF, returned = bytes[last - 1] === CR;
    if (ends !== returned) fail("must end with CRLF, and have neither CR nor LF in it");
    if (ends) this.#header = parseLine(ascii(bytes.subarray(0, last - 1)));
    else if (this.#filled === V1_LENGTH) fail(`must be a line of at most ${V1_LENGTH} bytes`);
  }

  #lookAtBlock(): void {
    if (this.#filled < V2_LENGTH) return;
    const bytes = this.#bytes;
    const command = bytes[12]! & 0x0f, kind = bytes[13]!;
    if (this.#end === undefined) {
      if (bytes[12]! >> 4 !== 2) fail(`must be of version 2: version is ${bytes[12]! >> 4}`);
      if (command > 1) fail(`must have the command LOCAL or PROXY: command is ${command}`);
      const length = bytes[14]! << 8 | bytes[15]!;
      // What a check of the proxy's own says of addresses is to be ignored.
      const size = command === 0 ? 0 : V2_SIZES[kind];
      if (size === undefined) fail(`must be of a family for streams: family and kind are ${hex(kind)}`);
      if (length < size) fail(`must hold the addresses it speaks of, ${size} bytes: length is ${length}`);
      this.#end = V2_LENGTH + size;
      this.#skip = length - size;
    }
    if (this.#filled < this.#end || this.#skip > 0) return;
    const [source, destination] = addressesOf(kind, bytes.subarray(V2_LENGTH, this.#end));
    this.#header = { version: 2, source, destination };
  }
}

function parseLine(line: string): ProxyHeader {
  const [, family, from = "", to = "", fromPort = "", toPort = "", ...more] = line.split(" ");
  // Whatever else such a line has is to be ignored.
  if (family === "UNKNOWN") return { version: 1, source: undefined, destination: undefined };
  if (family !== "TCP4" && family !== "TCP6") fail(`must say TCP4, TCP6 or UNKNOWN: it says "${family}"`);
  if (more.length > 0) fail("must have two addresses, two ports and nothing else");
  const length = family === "TCP4" ? 4 : 16;
  return { version: 1, source: endOf(from, fromPort, length), destination: endOf(to, toPort, length) };
}

function endOf(hostname: string, port: string, length: number): Address {
  const bytes = parseIp(hostname);
  if (bytes?.length !== length) fail(`must have addresses of its family: one is "${hostname}"`);
  if (!/^(0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) {
    fail(`must have ports from 0 to 65535: one is "${port}"`);
  }
  return { hostname: formatIp(bytes), port: Number(port) };
}

/** Source and destination in the block of version 2; nothing where it has none. */
function addressesOf(kind: number, block: Uint8Array): Address[] {
  if (block.length === 0) return [];
  if (kind === 0x31) return [pathOf(block.subarray(0, PATH_LENGTH)), pathOf(block.subarray(PATH_LENGTH))];
  const size = (block.length - 4) / 2;
  return [0, 1].map((i) => {
    const at = 2 * size + 2 * i;
    const hostname = formatIp(block.subarray(size * i, size * (i + 1)));
    return { hostname, port: block[at]! << 8 | block[at + 1]! };
  });
}

/** The path up to its first zero byte: one without a name in the file system is as good as none. */
function pathOf(bytes: Uint8Array): Address {
  const end = bytes.indexOf(0);
  return { path: new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)) };
}

/** `bytes` as text, one character each, whatever they are: messages and checks need no more. */
function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

function fail(rule: string): never {
  throw new ProtocolError(`PROXY header ${rule}`);
}
