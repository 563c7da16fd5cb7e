/**
 * What one would write by hand on `Deno.listen`: upper case, and one timer that sends `heartbeat` to all.
 *
 * Arguments: port, and the interval in milliseconds.
 *
 * @module
 */

import process from "node:process";

interface Conn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  setNoDelay(on: boolean): void;
  close(): void;
}

interface DenoLike {
  listen(options: { hostname: string; port: number }): AsyncIterable<Conn>;
}

const deno = (globalThis as unknown as { Deno: DenoLike }).Deno;
const [port, interval] = process.argv.slice(2).map(Number) as [number, number];
const conns = new Set<Conn>();
const beat = new TextEncoder().encode("heartbeat");

async function handle(conn: Conn): Promise<void> {
  conns.add(conn);
  const buffer = new Uint8Array(1024);
  try {
    for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
      const bytes = buffer.subarray(0, size);
      for (let i = 0; i < size; i++) if (bytes[i]! >= 0x61 && bytes[i]! <= 0x7a) bytes[i]! -= 0x20;
      for (let at = 0; at < size;) at += await conn.write(bytes.subarray(at));
    }
  } catch { /* The peer is gone. */ }
  conns.delete(conn);
  conn.close();
}

setInterval(() => {
  for (const conn of conns) conn.write(beat).catch(() => {});
}, interval);

for await (const conn of deno.listen({ hostname: "127.0.0.1", port })) {
  conn.setNoDelay(true);
  void handle(conn);
}
