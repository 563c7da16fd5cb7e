/**
 * Notices that the kernel took a listening TCP socket away (`ss -K`, an administrator, a container's end).
 *
 * No runtime tells: Node and Bun spin on a listener that is gone, and `node:net` on Deno waits for ever. Linux
 * lists its listening sockets first in a file, so that one short read now and then tells.
 *
 * @module
 */

import type fs from "node:fs";
import type { TcpAddress } from "./transport.ts";

/** The part of `process` used here. */
interface ProcessLike {
  getBuiltinModule?(id: "node:fs"): typeof fs;
}

/** Time between looks, in milliseconds. One costs some 50 µs. */
const INTERVAL = 2_000;
/** What is read of the list at a time: some hundred sockets. */
const PAGE = 16 * 1024;
/** The state of a listening socket, in hexadecimal as the list has it. */
const LISTEN = "0A";

/**
 * Calls `died` once if nobody listens on the port of `address` any more. Returns what ends the watch. Does
 * nothing where the system has no such list or does not let it be read; never keeps the process alive.
 */
export function watchListener({ hostname, port }: TcpAddress, died: () => void): () => void {
  const { process } = globalThis as { process?: ProcessLike };
  const fs = process?.getBuiltinModule?.("node:fs");
  const list = hostname.includes(":") ? "/proc/self/net/tcp6" : "/proc/self/net/tcp";
  if (fs === undefined || isListening(fs, list, port) !== true) return () => {};
  const timer = setInterval(() => {
    if (isListening(fs, list, port) !== false) return;
    clearInterval(timer);
    died();
  }, INTERVAL);
  (timer as { unref?(): void }).unref?.();
  return () => clearInterval(timer);
}

/** Whether `list` has a listening socket on `port`; `undefined` if it cannot be told. */
function isListening(
  { openSync, readSync, closeSync }: typeof fs,
  list: string,
  port: number,
): boolean | undefined {
  let file: number | undefined;
  try {
    file = openSync(list, "r");
    const end = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const page = new Uint8Array(PAGE);
    let text = "";
    for (;;) {
      const size = readSync(file, page, 0, PAGE, null);
      text += new TextDecoder().decode(page.subarray(0, size));
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        const [number, local, , state] = line.trim().split(/\s+/);
        if (number === "sl") continue;
        if (state !== LISTEN) return false; // The listening ones come first.
        if (local?.endsWith(end)) return true;
      }
      if (size === 0) return false;
    }
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
