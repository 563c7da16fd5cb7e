/**
 * The limits of `holdfast serve` and its TLS, in processes of their own.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertMatch, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { certificates } from "../support/certificates.ts";
import { check, holdfast, READING, serving, until } from "./programs/command.ts";

/** Sends `text`, and collects what comes until the server ends it, or for `patience` ms. */
function ask(port: string, text: string, patience = 20_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port: Number(port) });
    let heard = "";
    const over = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard);
    };
    const timer = setTimeout(over, patience);
    socket.setEncoding("utf8").on("data", (part: string) => heard += part);
    socket.on("connect", () => socket.write(text)).on("error", over).on("close", over);
  });
}

check(
  "serve: a line that is longer than --max-message ends its connection, and one that is not does not",
  async () => {
    const server = await serving("--protocol", "lines", "--no-heartbeat", "--max-message", "8", "--verbose");
    assertStrictEquals(await ask(server.port, "12345678\n123456789\n"), "12345678\n");
    await until(() => server.errors().includes("protocol-error"));
  },
);

check("serve: --max-connections-per-address and --accept-rate turn callers away", async () => {
  const server = await serving("--no-heartbeat", "--max-connections-per-address", "2");
  const open = [0, 1].map(() => createConnection({ host: "127.0.0.1", port: Number(server.port) }));
  for (const socket of open) {
    socket.on("error", () => {});
    await new Promise<void>((resolve) => socket.once("data", () => resolve()).write("a"));
  }
  assertStrictEquals(await ask(server.port, "a"), "");
  for (const socket of open) socket.destroy();

  const slow = await serving("--no-heartbeat", "--accept-rate", "1");
  assertStrictEquals(await ask(slow.port, "a", 1_000), "A");
  const heard = await Promise.all(Array.from({ length: 5 }, () => ask(slow.port, "a", 1_000)));
  // A second has passed, so one has its turn, and on a busy machine perhaps another.
  assertStrictEquals(heard.filter((answer) => answer === "").length >= 3, true, String(heard));
});

check("serve: with --proxy-protocol callers have the addresses that the proxy tells", async () => {
  const server = await serving("--no-heartbeat", "--verbose", "--proxy-protocol", "127.0.0.0/8,::1");
  assertStringIncludes(server.banner, ", behind 127.0.0.0/8 and ::1, ");
  assertStrictEquals(await ask(server.port, "PROXY TCP4 192.0.2.5 192.0.2.1 77 88\r\nhey", 1_000), "HEY");
  await until(() => server.errors().includes("192.0.2.5:77 opened"));
  assertStrictEquals(await ask(server.port, "hey\n"), "");

  const closed = await serving(
    "--no-heartbeat",
    "--proxy-protocol",
    "192.0.2.0/24",
    "--handshake-timeout",
    "1s",
  );
  assertStrictEquals(await ask(closed.port, "PROXY TCP4 192.0.2.5 192.0.2.1 77 88\r\nhey"), "");
});

check("serve and connect: TLS from PEM files, and a client that does not know the authority", async () => {
  const { authority, server: identity, client } = await certificates();
  const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  try {
    const ca = file("ca.pem", authority.certificate);
    const cert = file("cert.pem", identity.certificate), key = file("key.pem", identity.key);
    const own = ["--tls-cert", file("own.pem", client.certificate), "--tls-key", file("own.key", client.key)];
    const start = async (...args: string[]) => {
      const server = holdfast(
        ["serve", "--port", "0", "--tls-cert", cert, "--tls-key", key, ...args],
        READING,
      );
      const banner = await server.line();
      return { banner, port: /:(\d+),/.exec(banner)![1]! };
    };
    const talk = async (port: string, ...args: string[]) => {
      const running = holdfast(["connect", ...args, `127.0.0.1:${port}`], READING);
      running.child.stdin.end("hey");
      const code = await running.ended();
      return { code, heard: new TextDecoder().decode(running.output()), errors: running.errors() };
    };
    const server = await start();
    assertMatch(server.banner, /, protocol raw, TLS, /);
    assertEquals(await talk(server.port, "--tls-ca", ca), { code: 0, heard: "HEY", errors: "" });
    const stranger = await talk(server.port, "--tls");
    assertStrictEquals(stranger.code, 1);
    assertMatch(stranger.errors, /^holdfast: [^\n]*certificate[^\n]*\n$/i);

    const picky = await start("--tls-ca", ca);
    assertMatch(picky.banner, /, TLS for clients with a certificate, /);
    assertEquals(await talk(picky.port, "--tls-ca", ca, ...own), { code: 0, heard: "HEY", errors: "" });
    assertStrictEquals((await talk(picky.port, "--tls-ca", ca)).heard, "");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
