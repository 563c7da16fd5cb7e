/**
 * `holdfast serve` in processes of its own, spoken to by peers that nobody here wrote for it.
 *
 * @module
 */

import { connect as dial } from "node:net";
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  check,
  holdfast,
  isOneLine,
  lacking,
  launch,
  NET,
  onDeno,
  pause,
  plain,
  serving,
  sharedServer,
  told,
  until,
  withPython,
} from "./programs/command.ts";

const noNetcat = lacking("nc", "-h");
if (noNetcat) console.log(`skipped: ${noNetcat}`);

check("holdfast, with no arguments, serves 127.0.0.1:8888 and says so", async () => {
  const server = holdfast([]);
  let line: string;
  try {
    line = await server.line();
  } catch (error) {
    if (!server.errors().includes("address already in use")) throw error;
    console.log("skipped: port 8888 is in use here");
    return;
  }
  assertStrictEquals(
    line,
    'holdfast 0.1.0 listening on 127.0.0.1:8888, protocol raw, "heartbeat" every 10 s, ' +
      "no verdict on silent peers (set --timeout)",
  );
  server.kill("SIGINT");
  assertStrictEquals(await server.ended(), 0);
  assertStrictEquals(server.errors(), "");
});

withPython("holdfast serve answers 100 requests on one connection, and 200 clients at once", async () => {
  const { port } = await sharedServer();
  assertStrictEquals(await told<number>(port, "requests", "100"), 100);
  assertStrictEquals(await told<number>(port, "clients", "200"), 200);
});

withPython("holdfast serve swallows whole heartbeats and nothing else", async () => {
  const { port } = await sharedServer();
  assertEquals(await told<Record<string, string>>(port, "tokens"), {
    "heartbeat": "",
    "heartbeatheartbeat": "",
    "heart beat": "HEARTBEAT",
    "heartbeathe artbeat": "",
    "xheartbeaty": "XHEARTBEATY",
    "heartbeat, then data": "DATA",
  });
});

withPython("holdfast serve --match anywhere takes heartbeats out of data", async () => {
  const { port } = await serving("--match", "anywhere");
  assertEquals(await told<Record<string, string>>(port, "tokens"), {
    "heartbeat": "",
    "heartbeatheartbeat": "",
    "heart beat": "",
    "heartbeathe artbeat": "",
    "xheartbeaty": "XY",
    "heartbeat, then data": "DATA",
  });
});

withPython("holdfast serve leaves a UTF-8 character whole that comes in pieces", async () => {
  const { port } = await sharedServer();
  assertStrictEquals(await told<string>(port, "utf8"), "CAFé心Z");
});

withPython("holdfast serve answers 8 MiB in one go, and all of it to a client that half-closes", async () => {
  const { port } = await sharedServer();
  assertStrictEquals(await told<boolean>(port, "bulk", String(8 << 20)), true);
  assertEquals(await told<object>(port, "half_close", String(64 << 10)), { whole: true, fin: true });
  assertEquals(await told<object>(port, "half_close", String(1 << 20)), { whole: true, fin: true });
});

withPython("holdfast serve beats as often as it was told, without drift", async () => {
  const { port } = await serving("--interval", "400ms");
  const { times, clean } = await told<{ times: number[]; clean: boolean }>(port, "beats", "11");
  assert(clean, "something else came among the beats");
  const mean = (times[10]! - times[0]!) / 10;
  assert(mean >= 0.38 && mean <= 0.42, `mean is ${mean} s`);
  // Each beat against a grid that is laid through all of them.
  const offset = times.reduce((sum, at, i) => sum + at - i * 0.4, 0) / times.length;
  for (const [i, at] of times.entries()) {
    const off = at - i * 0.4 - offset;
    assertLess(Math.abs(off), 0.1, `beat ${i} of ${times} is off its grid by ${off} s`);
  }
});

withPython("holdfast serve --timeout drops a silent peer, and says why with --verbose", async () => {
  const server = await serving("--interval", "200ms", "--timeout", "400ms", "--verbose");
  const lived = await told<number>(server.port, "silent");
  assertGreaterOrEqual(lived, 0.4);
  assertLess(lived, 2);
  await until(() => server.errors().includes("ended"));
  assertMatch(server.errors(), /^#\d+ 127\.0\.0\.1:\d+ opened\n/);
  assertMatch(server.errors(), /ended after .*Peer has been silent for .*heartbeat-timeout.* 0 B in/);
});

withPython("holdfast serve --protocol lines shouts lines and answers PING", async () => {
  const { port } = await serving("--protocol", "lines");
  assertStrictEquals(await told<string>(port, "lines"), "HELLO\nPONG\nping\nSTRAßE\n");
});

withPython("holdfast serve --max-buffer and --no-heartbeat still answer in full", async () => {
  const { port } = await serving("--max-buffer", "64k", "--no-heartbeat");
  assertStrictEquals(await told<boolean>(port, "bulk", String(2 << 20)), true);
  assertStrictEquals((await told<Record<string, string>>(port, "tokens"))["heartbeat"], "");
});

check(
  "holdfast serve answers nc",
  async () => {
    const { port } = await sharedServer();
    const netcat = launch("nc", ["127.0.0.1", port]);
    for (const word of ["hello", "again"]) {
      netcat.child.stdin.write(`${word}\n`);
      assertStrictEquals(await netcat.line(), word.toUpperCase());
    }
  },
  noNetcat,
);

check("holdfast serve says in one line that the port is in use", async () => {
  const { port } = await sharedServer();
  const second = holdfast(["serve", "--port", port]);
  assertStrictEquals(await second.ended(), 1);
  assertStrictEquals(
    second.errors(),
    `holdfast: Cannot listen on 127.0.0.1:${port}: address already in use (EADDRINUSE)\n`,
  );
});

check(
  "holdfast says which permissions Deno must give",
  async () => {
    const server = holdfast(["serve"], []);
    assertStrictEquals(await server.ended(), 1);
    assertStringIncludes(server.errors(), "run it with --allow-net\n");
    assert(isOneLine(server.errors()), server.errors());

    const client = holdfast(["connect", "127.0.0.1:8888"], []);
    assertStrictEquals(await client.ended(), 1);
    assertStringIncludes(client.errors(), "run it with --allow-net\n");
    assert(isOneLine(client.errors()), client.errors());

    const unix = holdfast(["serve", "--unix", "holdfast-test.sock"], NET);
    assertStrictEquals(await unix.ended(), 1);
    assertStringIncludes(unix.errors(), "run it with --allow-net --allow-read --allow-write\n");
    assert(isOneLine(unix.errors()), unix.errors());
  },
  !onDeno && "only Deno asks for permissions",
);

check("holdfast needs no permission to be asked, and ends with 2 when asked the wrong way", async () => {
  const version = holdfast(["--version"], []), help = holdfast(["serve", "--help"], []);
  const wrong = holdfast(["serve", "--interval", "ten"], []), unknown = holdfast(["dance"], []);
  assertStrictEquals(await version.ended(), 0);
  assertMatch(new TextDecoder().decode(version.output()), /^holdfast \d+\.\d+\.\d+\n$/);
  assertStrictEquals(await help.ended(), 0);
  assertMatch(new TextDecoder().decode(help.output()), /^usage: holdfast serve/);
  assertStrictEquals(await wrong.ended(), 2);
  assertStrictEquals(
    wrong.errors(),
    'holdfast serve: --interval must be a duration such as 400ms, 10s or 2m: got "ten"\n',
  );
  assertStrictEquals(await unknown.ended(), 2);
  assertStrictEquals(unknown.errors(), 'holdfast: unknown command "dance" (see holdfast --help)\n');
});

withPython(
  "holdfast serve answers all that is under way when SIGTERM comes, accepts no more, and ends well",
  async () => {
    const server = await serving();
    const clients = plain(server.port, "drain", "16");
    assertStrictEquals(await clients.line(), "under way");
    server.kill("SIGTERM");
    clients.child.stdin.write("gone\n");
    const { results, left, refused } = JSON.parse(await clients.line());
    assertEquals(results, Array.from({ length: 16 }, () => "whole"));
    assertGreater(left, 0, "nothing was under way any more");
    assert(refused, "it still accepts connections");
    assertStrictEquals(await server.ended(), 0);
    assertMatch(
      server.errors(),
      /^holdfast: SIGTERM: \d+ connections may finish, within 15 s; once more cuts off\n$/,
    );
  },
);

withPython("holdfast serve cuts off at a second signal", async () => {
  const cut = async (signal: "SIGINT" | "SIGTERM", code: number) => {
    const server = await serving();
    const client = plain(server.port, "stuck", String(32 << 20));
    assertStrictEquals(await client.line(), "stuck");
    server.kill(signal);
    await until(() => server.errors().includes("1 connection may finish"));
    await pause(500);
    server.kill(signal);
    assertStrictEquals(await server.ended(5000), code);
  };
  await Promise.all([cut("SIGTERM", 143), cut("SIGINT", 130)]);
});

withPython("holdfast serve cuts off what is left after --drain-timeout", async () => {
  const server = await serving("--drain-timeout", "600ms");
  const client = plain(server.port, "stuck", String(32 << 20));
  assertStrictEquals(await client.line(), "stuck");
  const start = performance.now();
  server.kill("SIGTERM");
  assertStrictEquals(await server.ended(), 0);
  const took = performance.now() - start;
  assertGreaterOrEqual(took, 590);
  assertLess(took, 3000);
  assertStringIncludes(server.errors(), "holdfast: 1 connection had to be cut off\n");
});

check("holdfast serve --max-connections closes callers beyond it", async () => {
  const { port } = await serving("--max-connections", "1");
  const first = dial(Number(port), "127.0.0.1");
  first.on("error", () => {});
  await new Promise((resolve) => first.once("connect", resolve));
  const second = dial(Number(port), "127.0.0.1");
  second.on("error", () => {}).resume();
  await new Promise((resolve) => second.once("close", resolve));
  first.write("served");
  const answer = await new Promise<Uint8Array>((resolve) => first.once("data", resolve));
  assertStrictEquals(new TextDecoder().decode(answer), "SERVED");
  first.destroy();
});

check("holdfast serve ends well after all that", async () => {
  const server = await sharedServer();
  server.kill("SIGTERM");
  assertStrictEquals(await server.ended(), 0);
  // Each connection is told of, and nothing else.
  for (const line of server.errors().trimEnd().split("\n")) {
    assertMatch(line, /^(#\d+ 127\.0\.0\.1:\d+ (opened|ended after .*)|holdfast: SIGTERM: .*|)$/);
  }
});
