/**
 * Whether a process lives on while its only connection is away. Real processes: no clock of a test can show it.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { lines, serve, type TcpAddress } from "../../mod.ts";
import { start } from "../support/runtime.ts";

const CLIENT = new URL("programs/client.ts", import.meta.url);

const serving = (port = 0) =>
  serve({ port, protocol: lines() }, (connection) => {
    connection.onMessage = () => {};
  });

test("A process whose only connection is away lives on, and is there when it is back", {
  timeout: 120_000,
}, async () => {
  const first = await serving(), { port } = first.address as TcpAddress;
  const program = start(CLIENT, [`${port}`]);
  try {
    assertEquals(await program.line(), "ready");
    first.abort();
    await first.closed;
    const second = await serving(port);
    assertEquals([await program.line(), await program.line()], ["away", "open"]);
    second.abort();
  } finally {
    first.abort();
    program.kill("SIGKILL");
    await program.ended();
  }
});

test("One that was told not to care for it ends while it is away", { timeout: 120_000 }, async () => {
  const server = await serving(), { port } = server.address as TcpAddress;
  const program = start(CLIENT, [`${port}`, "unref"]);
  try {
    assertEquals(await program.line(), "ready");
    server.abort();
    assertEquals(await program.ended(), 0);
  } finally {
    program.kill("SIGKILL");
    server.abort();
  }
});
