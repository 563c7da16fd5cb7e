/**
 * The command within one process.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { assertEquals, assertMatch, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { main } from "../../lib/cli/main.ts";
import { VERSION } from "../../lib/cli/version.ts";
import { type FakeHost, fakeHost } from "./fake_host.ts";

/** Runs the command to its end. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const host = fakeHost([]);
  const code = await main(args, host);
  return { code, out: host.out(), err: host.err() };
}

/** Starts the server, waits until it listens, and returns where. */
async function serving(
  ...args: string[]
): Promise<{ host: FakeHost; ended: Promise<number>; address: string }> {
  const host = fakeHost();
  const ended = main(["serve", "--port", "0", ...args], host);
  while (!host.out().includes("\n")) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (host.err() !== "") throw new Error(host.err());
  }
  return { host, ended, address: /on ([^,]+),/.exec(host.out())![1]! };
}

/** Waits until `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !condition();) {
    if (performance.now() > end) throw new Error(`Still waiting for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const json = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));

test("VERSION is that of the package", () => {
  assertStrictEquals(VERSION, json("../../deno.json").version);
  assertStrictEquals(VERSION, json("../../package.json").version);
});

test("main() shows its version", async () => {
  for (const args of [["--version"], ["serve", "--version"], ["connect", "--version"]]) {
    assertEquals(await run(...args), { code: 0, out: `holdfast ${VERSION}\n`, err: "" });
  }
});

test("main() shows help, in all the ways that people ask for it", async () => {
  for (const args of [["--help"], ["-h"], ["help"]]) {
    const { code, out, err } = await run(...args);
    assertStrictEquals(code, 0);
    assertStrictEquals(err, "");
    assertMatch(out, /^holdfast .*\n\nusage: holdfast \[COMMAND\]/);
  }
  const serve = (await run("help", "serve")).out;
  assertMatch(serve, /^usage: holdfast serve \[OPTIONS\]\n/);
  for (
    const args of [["serve", "--help"], ["serve", "-h"], ["serve", "--port", "1", "--help"], [
      "--help",
      "serve",
    ]]
  ) {
    assertEquals(await run(...args), { code: 0, out: serve, err: "" });
  }
  assertMatch((await run("connect", "--help")).out, /^usage: holdfast connect /);
});

test("main() keeps the lines of its help within a terminal", async () => {
  for (const command of ["serve", "connect"]) {
    for (const line of (await run("help", command)).out.split("\n")) {
      if (line.length > 120) throw new Error(`too long: ${line}`);
    }
  }
});

test("main() answers a call that makes no sense with one line and 2", async () => {
  const cases: [args: string, err: string][] = [
    ["dance", 'holdfast: unknown command "dance" (see holdfast --help)'],
    ["toString", 'holdfast: unknown command "toString" (see holdfast --help)'],
    ["help dance", 'holdfast: unknown command "dance" (see holdfast --help)'],
    ["--bogus", "holdfast serve: unknown option --bogus (see holdfast serve --help)"],
    ["serve here", 'holdfast serve: unexpected argument "here"'],
    ["serve --port 65536", 'holdfast serve: --port must be a whole number from 0 to 65535: got "65536"'],
    ["serve --interval 0", 'holdfast serve: --interval must be 1ms or longer: got "0"'],
    ["serve --max-connections 0", 'holdfast serve: --max-connections must be a whole number >= 1: got "0"'],
    ["serve --max-buffer 1k", 'holdfast serve: --max-buffer must be at least 4 KiB: got "1k"'],
    ["serve --protocol http", 'holdfast serve: --protocol must be raw or lines or frames: got "http"'],
    ["serve --unix /x --port 1", "holdfast serve: --unix and --port exclude each other"],
    ["serve --no-heartbeat --timeout 1s", "holdfast serve: --no-heartbeat and --timeout exclude each other"],
    ["serve --protocol lines --match chunk", "holdfast serve: --match is for the raw protocol"],
    ["connect", "holdfast connect: an address is missing (see holdfast connect --help)"],
    ["connect a:1 b:2", 'holdfast connect: unexpected argument "b:2"'],
    ["connect 8888", 'holdfast connect: the address must be HOST:PORT, [IPV6]:PORT or unix:PATH: got "8888"'],
    ["connect a:0", 'holdfast connect: the address must have a port from 1 to 65535: got "a:0"'],
    ["connect a:1 --port 1", "holdfast connect: unknown option --port (see holdfast connect --help)"],
    ["connect a:1 --protocol lines --match chunk", "holdfast connect: --match is for the raw protocol"],
  ];
  for (const [args, err] of cases) {
    assertEquals(await run(...args.split(" ")), { code: 2, out: "", err: `${err}\n` }, args);
  }
});

test("main() says what listens where, how it beats, and what becomes of silent peers", async () => {
  const cases: [args: string, line: RegExp][] = [
    [
      "",
      /^holdfast \S+ listening on 127\.0\.0\.1:\d+, protocol raw, "heartbeat" every 10 s, no verdict on silent peers \(set --timeout\)\n$/,
    ],
    [
      "--interval 400ms --timeout 1200ms",
      /, protocol raw, "heartbeat" every 400 ms, peers silent for 1\.6 s are dropped\n$/,
    ],
    [
      "--protocol lines --interval 2m",
      /, protocol lines, PING every 2 min, no verdict on silent peers \(set --timeout\)\n$/,
    ],
    ["--no-heartbeat", /, protocol raw, no heartbeat, no verdict on silent peers\n$/],
  ];
  for (const [args, line] of cases) {
    const { host, ended } = await serving(...args.split(" ").filter((arg) => arg !== ""));
    assertMatch(host.out(), line);
    host.signal("SIGTERM");
    assertStrictEquals(await ended, 0);
    assertStrictEquals(host.err(), "");
    assertStrictEquals(host.listeners(), 0);
  }
});

test("main() connects, pipes both ways, and tells of it", { timeout: 30_000 }, async () => {
  const server = await serving("--verbose");
  const host = fakeHost(["hello, ", "stra\u00dfe"]);
  assertStrictEquals(await main(["connect", "--verbose", server.address], host), 0);
  assertStrictEquals(host.out(), "HELLO, STRA\u00dfE");
  assertMatch(
    host.err(),
    /^holdfast: connected to 127\.0\.0\.1:\d+\nholdfast: 14 B sent, 14 B received, 0 heartbeats, in \d+ ms\n$/,
  );
  assertStrictEquals(host.listeners(), 0);
  server.host.signal("SIGINT");
  assertStrictEquals(await server.ended, 0);
  assertMatch(
    server.host.err(),
    /^#\d+ 127\.0\.0\.1:\d+ opened\n#\d+ 127\.0\.0\.1:\d+ ended after \d+ ms: Connection was closed by the peer \(closed\), 14 B in, 14 B out\n$/,
  );
});

test(
  "main() lets connections finish at a signal, and cuts them off at the next",
  { timeout: 30_000 },
  async () => {
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      const server = await serving("--protocol", "lines", "--interval", "20ms", "--verbose");
      const client = dial(Number(server.address.split(":")[1]), "127.0.0.1");
      client.on("error", () => {});
      client.resume();
      // A drain waits for a quiet moment, so this connection outlives the first signal.
      const talk = setInterval(() => client.write("x\n"), 20);
      await until(() => server.host.err().includes("opened"));
      server.host.signal(signal);
      assertStringIncludes(server.host.err(), `holdfast: ${signal}: 1 connection may finish, within 15 s`);
      // A launcher hands on what the terminal gives to all: the same once more, at once.
      server.host.signal(signal);
      await pause(300);
      assertStringIncludes(server.host.err(), "may finish");
      assertEquals(server.host.err().includes("had to be cut off"), false);
      server.host.signal(signal);
      assertStrictEquals(await server.ended, code);
      assertStrictEquals(server.host.listeners(), 0);
      clearInterval(talk);
      client.destroy();
    }
  },
);

test("main() says in one line what is wrong with the standard streams", { timeout: 30_000 }, async () => {
  const server = await serving("--protocol", "lines");
  const unreadable = fakeHost(["hello\n", new Error("EIO: i/o error, read")]);
  assertStrictEquals(await main(["connect", "--protocol", "lines", server.address], unreadable), 1);
  assertStrictEquals(unreadable.err(), "holdfast: cannot read standard input: EIO: i/o error, read\n");

  const unsendable = fakeHost(["PING\n"]);
  assertStrictEquals(await main(["connect", "--protocol", "lines", server.address], unsendable), 1);
  assertStringIncludes(
    unsendable.err(),
    "holdfast: Cannot send as a line must not be that of a ping or pong",
  );

  const unread = fakeHost(["hello\n"]);
  unread.breakOutput(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  assertStrictEquals(await main(["connect", "--protocol", "lines", server.address], unread), 0);
  assertStrictEquals(unread.err(), "");

  server.host.signal("SIGTERM");
  assertStrictEquals(await server.ended, 0);
});

test("main() shows the stack of what nobody foresaw", async () => {
  const host = fakeHost();
  host.breakOutput(new Error("surprise"));
  assertStrictEquals(await main(["--version"], host), 1);
  assertMatch(host.err(), /^holdfast: unexpected: Error: surprise\n {4}at /);
});
