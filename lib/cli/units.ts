/**
 * Durations, sizes and addresses as people write them on a command line, and back.
 *
 * The readers throw a `RangeError` whose message goes on after the name of the option: `must be ...`.
 *
 * @module
 */

import type { Address } from "../transport/transport.ts";

const MILLISECONDS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Reads `400ms`, `1.5s`, `2m`, `1h`, or plain milliseconds. Returns milliseconds.
 *
 * @throws {RangeError} If `text` is no duration, or one below a millisecond.
 */
export function readDuration(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text) ?? [];
  if (digits === undefined) throw new RangeError("must be a duration such as 400ms, 10s or 2m");
  const duration = Number(digits) * MILLISECONDS[unit!]!;
  if (duration < 1) throw new RangeError("must be 1ms or longer");
  return duration;
}

/**
 * Reads `64k`, `1m`, `2g`, or plain bytes; `k` is 1024. Returns bytes.
 *
 * @param min Smallest size that is of use.
 * @throws {RangeError} If `text` is no size, or one below `min`.
 */
export function readSize(text: string, min: number = 1): number {
  const [, digits, unit] = /^(\d+)([kmg]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new RangeError("must be a size such as 64k, 1m or 1000");
  const size = Number(digits) * BYTES[unit!.toLowerCase()]!;
  if (size < min) throw new RangeError(`must be at least ${writeSize(min)}`);
  if (!Number.isSafeInteger(size)) throw new RangeError("must be smaller");
  return size;
}

/**
 * Reads a whole number from `min` to `max`.
 *
 * @throws {RangeError} If `text` is anything else.
 */
export function readInteger(text: string, min: number, max: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max && Number.isSafeInteger(number)) return number;
  throw new RangeError(
    max === Infinity ? `must be a whole number >= ${min}` : `must be a whole number from ${min} to ${max}`,
  );
}

/**
 * Reads what can be connected to: `HOST:PORT`, `[::1]:PORT` or `unix:PATH`.
 *
 * @throws {RangeError} If `text` is none of them.
 */
export function readTarget(text: string): Address {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") throw new RangeError("must name a path after unix:");
    return { path };
  }
  const [, bracketed, plain, port] = /^(?:\[([^\[\]]+)\]|([^:\[\]]+)):(\d+)$/.exec(text) ?? [];
  const hostname = bracketed ?? plain;
  if (hostname === undefined) throw new RangeError("must be HOST:PORT, [IPV6]:PORT or unix:PATH");
  const number = Number(port);
  if (!(number >= 1 && number <= 65_535)) throw new RangeError("must have a port from 1 to 65535");
  return { hostname, port: number };
}

/** Writes milliseconds as people say them: `400 ms`, `1.5 s`, `2 min`, `1 h`. */
export function writeDuration(ms: number): string {
  if (ms < 1000) return `${round(ms, 0)} ms`;
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return `${round(ms / 1000, 3)} s`;
}

/** Writes bytes as people say them: `512 B`, `64 KiB`, `1.4 MiB`. */
export function writeSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${round(bytes / 1024, 1)} KiB`;
  if (bytes < 1024 ** 3) return `${round(bytes / 1024 ** 2, 1)} MiB`;
  return `${round(bytes / 1024 ** 3, 1)} GiB`;
}

/** Writes an address so that {@linkcode readTarget} reads it: `127.0.0.1:80`, `[::1]:80`, `unix:/run/app.sock`. */
export function writeAddress(address: Address): string {
  if ("path" in address) return address.path === "" ? "unix" : `unix:${address.path}`;
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
