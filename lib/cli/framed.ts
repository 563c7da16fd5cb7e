/**
 * What `serve` and `connect` have in common where they speak frames.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import type { Connection } from "../connection.ts";
import { frames } from "../protocol/frames.ts";
import type { Protocol } from "../protocol/protocol.ts";
import { Failure } from "./failure.ts";
import { UsageError } from "./options.ts";
import { writeDuration, writeSize } from "./units.ts";

/** Options that mean something only with `--protocol frames`. */
const FRAMES_ONLY = ["resume", "key"];

/** @throws {UsageError} If such an option was given all the same. */
export function forbidFrames(name: string, given: ReadonlySet<string>): void {
  const option = FRAMES_ONLY.find((option) => given.has(option));
  if (option !== undefined) throw new UsageError(`${name}: --${option} is for the frames protocol`);
}

/**
 * The protocol, keyed with what is in the file at `path` if one is given; a line end at its end does not count.
 *
 * @throws {Failure} If the file cannot be read.
 * @throws {UsageError} If what is in it cannot be a key.
 */
export async function framesWith(
  name: string,
  path: string | undefined,
  maxMessageBytes?: number,
): Promise<Protocol<Uint8Array | string>> {
  const limit = maxMessageBytes === undefined ? {} : { maxMessageBytes };
  if (path === undefined) return frames(limit);
  const bytes = await readFile(path).catch((cause) => {
    throw new Failure(`cannot read the key: ${cause instanceof Error ? cause.message : cause}`, { cause });
  });
  let { length } = bytes;
  if (bytes[length - 1] === 10) length--;
  if (bytes[length - 1] === 13) length--;
  try {
    return frames({ ...limit, key: Uint8Array.from(bytes.subarray(0, length)) });
  } catch {
    throw new UsageError(
      `${name}: --key must be a file of at least 16 bytes: ${JSON.stringify(path)} has ${length}`,
    );
  }
}

/** What the two ends of a connection have agreed on, in words. */
export function agreementOf<In, Out>({ heartbeat, hello }: Connection<In, Out>, keyed: boolean): string {
  const { maxMessageBytes, minPingGap, session } = hello!;
  const { interval, timeout } = heartbeat;
  return [
    "protocol frames",
    interval < Infinity
      ? `asks after ${writeDuration(interval)} of silence, gives up after ${writeDuration(timeout)} more`
      : "no heartbeat",
    ...(minPingGap > 0 ? [`pings at least ${writeDuration(minPingGap)} apart`] : []),
    `messages up to ${writeSize(maxMessageBytes)}`,
    ...(keyed ? ["keyed heartbeats"] : []),
    session === undefined ? "no session" : `session kept for ${writeDuration(session.window)}`,
  ].join(", ");
}
