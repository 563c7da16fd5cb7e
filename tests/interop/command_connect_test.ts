/**
 * `holdfast connect` in processes of its own, against `holdfast serve` and servers that nobody here wrote for it.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  assert,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { check, holdfast, pause, plain, serving, UNIX, until, withPython } from "./programs/command.ts";

/** Bytes without a pattern that a lost or doubled piece could hide in. */
function payload(size: number): string {
  let text = "";
  for (let i = 0; text.length < size; i++) {
    text += `${(Math.imul(i, 2654435761) >>> 4).toString(16).padStart(7, "0")} `;
  }
  return text.slice(0, size);
}

check("holdfast connect pipes many MiB both ways, exactly, to a reader that stops for a while", async () => {
  const server = await serving("--interval", "100ms", "--match", "anywhere");
  const client = holdfast(["connect", "--verbose", `127.0.0.1:${server.port}`]);
  const text = payload(24 << 20);
  client.child.stdout.once("data", () => {
    client.child.stdout.pause();
    setTimeout(() => client.child.stdout.resume(), 1000);
  });
  client.child.stdin.end(text);
  assertStrictEquals(await client.ended(), 0);
  const same = Buffer.from(text.toUpperCase()).equals(client.output());
  assert(same, `${client.output().length} bytes came back`);
  assertMatch(
    client.errors(),
    /^holdfast: connected to 127\.0\.0\.1:\d+\nholdfast: 24 MiB sent, 24 MiB received, /,
  );
  const [, beats, seconds] = /(\d+) heartbeats?, in ([\d.]+) s/.exec(client.errors())!;
  assertGreater(Number(beats), 0, client.errors());
  assertGreaterOrEqual(Number(seconds), 1, client.errors());
});

check("holdfast connect answers heartbeats, so that a strict server keeps it", async () => {
  const server = await serving("--interval", "200ms", "--timeout", "300ms");
  const client = holdfast(["connect", "--verbose", `127.0.0.1:${server.port}`]);
  await pause(2000);
  client.child.stdin.end("still here");
  assertStrictEquals(await client.ended(), 0);
  assertStrictEquals(new TextDecoder().decode(client.output()), "STILL HERE");
  const [, beats] = /(\d+) heartbeats, in /.exec(client.errors())!;
  assertGreaterOrEqual(Number(beats), 5, client.errors());
});

check("holdfast connect says in one line that the server is dead", async () => {
  const server = await serving();
  const client = holdfast([
    "connect",
    "--interval",
    "300ms",
    "--timeout",
    "500ms",
    `127.0.0.1:${server.port}`,
  ]);
  client.child.stdin.write("hello");
  await until(() => client.output().length >= 5);
  server.kill("SIGSTOP");
  const start = performance.now();
  assertStrictEquals(await client.ended(), 1);
  const took = performance.now() - start;
  assertGreaterOrEqual(took, 500);
  assertLess(took, 2500);
  assertMatch(
    client.errors(),
    /^holdfast: 127\.0\.0\.1:\d+: Peer has been silent for \d+ ms \(heartbeat-timeout\)\n$/,
  );
});

check("holdfast connect ends well when the server closes, though its input goes on", async () => {
  const server = await serving();
  const client = holdfast(["connect", `127.0.0.1:${server.port}`]);
  client.child.stdin.write("hello");
  await until(() => client.output().length >= 5);
  server.kill("SIGTERM");
  assertStrictEquals(await client.ended(), 0);
  assertStrictEquals(await server.ended(), 0);
  assertStrictEquals(client.errors(), "");
});

check("holdfast connect closes at a signal", async () => {
  const server = await serving("--verbose");
  const client = holdfast(["connect", `127.0.0.1:${server.port}`]);
  client.child.stdin.write("hello");
  await until(() => client.output().length >= 5);
  client.kill("SIGINT");
  assertStrictEquals(await client.ended(), 0, client.errors());
  await until(() => server.errors().includes("ended"));
  assertStringIncludes(server.errors(), "Connection was closed by the peer (closed), 5 B in, 5 B out");
});

check("holdfast connect says in one line that nobody listens", async () => {
  // A port that was free a moment ago.
  const { port } = await (async () => {
    const server = await serving();
    server.kill("SIGTERM");
    await server.ended();
    return server;
  })();
  const client = holdfast(["connect", `127.0.0.1:${port}`]);
  assertStrictEquals(await client.ended(), 1);
  assertStrictEquals(
    client.errors(),
    `holdfast: Cannot connect to 127.0.0.1:${port}: connection refused (ECONNREFUSED)\n`,
  );
});

withPython("holdfast connect gives up dialling in time, and at a signal", async () => {
  const server = plain("0", "full_server");
  const target = `127.0.0.1:${await server.line()}`;
  const late = holdfast(["connect", "--connect-timeout", "1200ms", target]);
  const stopped = holdfast(["connect", "--connect-timeout", "30s", target]);
  assertStrictEquals(await late.ended(), 1);
  assertStrictEquals(late.errors(), `holdfast: Cannot connect to ${target}: no answer in 1200 ms\n`);
  stopped.kill("SIGINT");
  assertStrictEquals(await stopped.ended(), 1);
  assertStrictEquals(stopped.errors(), `holdfast: SIGINT: gave up dialling ${target}\n`);
});

withPython("holdfast connect says in one line that it was reset", async () => {
  const server = plain("0", "reset_server");
  const client = holdfast(["connect", `127.0.0.1:${await server.line()}`]);
  client.child.stdin.write("hello");
  assertStrictEquals(await client.ended(), 1);
  assertMatch(client.errors(), /^holdfast: 127\.0\.0\.1:\d+: Connection was reset by the peer \(reset\)\n$/);
});

withPython("holdfast connect waits for an answer that comes after the end of its input", async () => {
  const server = plain("0", "mute_server");
  const client = holdfast(["connect", `127.0.0.1:${await server.line()}`]);
  client.child.stdin.end(payload(3 << 20));
  assertStrictEquals(await client.ended(), 0);
  assertStrictEquals(new TextDecoder().decode(client.output()), `${3 << 20} bytes`);
});

check("holdfast connect ends quietly when nobody reads its output any more", async () => {
  const server = await serving();
  const client = holdfast(["connect", `127.0.0.1:${server.port}`]);
  client.child.stdin.write("hello");
  await until(() => client.output().length >= 5);
  client.child.stdout.destroy();
  const text = payload(65_536);
  const writing = setInterval(() => void client.child.stdin.write(text), 20);
  try {
    assertStrictEquals(await client.ended(), 0);
  } finally {
    clearInterval(writing);
  }
  assertStrictEquals(client.errors(), "");
});

check("holdfast connect --protocol lines sends lines and prints lines", async () => {
  const server = await serving("--protocol", "lines", "--interval", "200ms");
  const client = holdfast(["connect", "--protocol", "lines", `127.0.0.1:${server.port}`]);
  client.child.stdin.write("hello\nstra");
  await pause(500);
  client.child.stdin.end("ße\r\nlast");
  assertStrictEquals(await client.ended(), 0);
  assertStrictEquals(new TextDecoder().decode(client.output()), "HELLO\nSTRAßE\nLAST\n");
});

check("holdfast speaks over a Unix socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
  const path = join(folder, "test.sock");
  try {
    const server = holdfast(["serve", "--unix", path], UNIX);
    assertStringIncludes(await server.line(), `listening on unix:${path}, `);
    const client = holdfast(["connect", `unix:${path}`], UNIX);
    client.child.stdin.end("over a file");
    assertStrictEquals(await client.ended(), 0, client.errors());
    assertStrictEquals(new TextDecoder().decode(client.output()), "OVER A FILE");
    server.kill("SIGTERM");
    assertStrictEquals(await server.ended(), 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
