/**
 * `holdfast serve` and `holdfast connect` with frames, in processes of their own.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as dial, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertMatch, assertStrictEquals } from "@std/assert";
import { check, holdfast, READING, serving, until } from "./programs/command.ts";

/** Runs `use` with the path of a file that holds `key`. */
async function withKey(key: string, use: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
  const path = join(folder, "key");
  writeFileSync(path, key);
  try {
    await use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Stands between clients and the server at `port`, and can cut what passes. */
async function relay(port: number) {
  const pairs = new Set<readonly [Socket, Socket]>();
  // Half-closed on one side must stay so on the other: an answer may still be under way.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const pair = [client, dial({ port, host: "127.0.0.1", allowHalfOpen: true })] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [pair[1], pair[0]]] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
    client.on("close", () => pairs.delete(pair));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      for (const [client, server] of pairs) {
        client.destroy();
        server.destroy();
      }
    },
    close() {
      this.cut();
      server.close();
    },
  };
}

check("frames: the first line says what was negotiated, and the key is proven", async () => {
  await withKey("a secret that nobody knows\n", async (key) => {
    const server = await serving("--protocol", "frames", "--resume", "--key", key, "--interval", "3s");
    assertMatch(
      server.banner,
      /, protocol frames, sessions kept for 2 min, keyed heartbeats, asks every 3 s, /,
    );
    const address = `127.0.0.1:${server.port}`;
    const client = holdfast(["connect", "--protocol", "frames", "--resume", "--key", key, address], READING);
    client.child.stdin.end("héllo\nworld");
    assertStrictEquals(await client.ended(), 0);
    assertStrictEquals(new TextDecoder().decode(client.output()), "HéLLO\nWORLD\n");
    assertMatch(
      client.errors(),
      /^holdfast: connected to 127\.0\.0\.1:\d+, protocol frames, asks after 10 s of silence, gives up after 10 s more, pings at least 1 s apart, messages up to 1 MiB, keyed heartbeats, session kept for 2 min\n$/,
    );

    const stranger = holdfast(["connect", "--protocol", "frames", address]);
    assertStrictEquals(await stranger.ended(), 1);
    assertMatch(stranger.errors(), /^holdfast: Connection was refused: Both ends must be keyed or neither/);
    await withKey("another secret, also long enough", async (wrong) => {
      const forger = holdfast(["connect", "--protocol", "frames", "--key", wrong, address], READING);
      assertStrictEquals(await forger.ended(), 1);
      assertMatch(forger.errors(), /has not proven that it has the key.*\(heartbeat-forged\)\n$/);
    });
  });
});

check("frames: a key that is too short, or for another protocol, is refused in one line", async () => {
  await withKey("short", async (key) => {
    const client = holdfast(["connect", "--protocol", "frames", "--key", key, "127.0.0.1:1"], READING);
    assertStrictEquals(await client.ended(), 2);
    assertMatch(client.errors(), /^holdfast connect: --key must be a file of at least 16 bytes: .* has 5\n$/);
  });
  const client = holdfast(["connect", "--resume", "127.0.0.1:1"]);
  assertStrictEquals(await client.ended(), 2);
  assertMatch(client.errors(), /^holdfast connect: --resume is for the frames protocol\n$/);
});

check(
  "frames: with --resume nothing is lost, doubled or reordered though the connection is cut",
  async () => {
    const server = await serving("--protocol", "frames", "--resume");
    const between = await relay(Number(server.port));
    const client = holdfast([
      "connect",
      "--protocol",
      "frames",
      "--reconnect",
      "--resume",
      `127.0.0.1:${between.port}`,
    ]);
    const count = 3000;
    const lines = () => new TextDecoder().decode(client.output()).split("\n").length - 1;
    for (let sent = 0; sent < count;) {
      for (let i = 0; i < 100; i++) client.child.stdin.write(`message ${sent++}\n`);
      // In the midst of it, with messages under way in both directions.
      if (sent === 500 || sent === 1500) {
        await until(() => lines() > sent - 500);
        between.cut();
      }
    }
    await until(() => lines() >= count);
    client.child.stdin.end();
    assertStrictEquals(await client.ended(), 0);
    const expected = Array.from({ length: count }, (_, i) => `MESSAGE ${i}\n`).join("");
    assertStrictEquals(new TextDecoder().decode(client.output()), expected);
    assertMatch(client.errors(), /connection lost, coming back\n.*connected to .* again\n/);
    between.close();
  },
);
