/**
 * What the pages in docs/ show that needs something around it: servers of others, a proxy, a signal, clients. The code is
 * run as it stands there; only ports and times are others. Programs of others listen on the loopback address, on ports
 * that were free, and are ended by the tests.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type DrainNotice, frames } from "../mod.ts";
import { call } from "./server/callers.ts";
import { examplesOf, freePort, marked, PAGES, PATIENCE, Program } from "./support/pages.ts";
import { lacking, pause } from "./support/processes.ts";

const RECIPES = "docs/recipes.md", PROTOCOLS = "docs/existing-protocols.md", MIGRATING = "docs/migrating.md";

/** The blocks with a mark: each is run below. */
const MARKED = [
  `${PROTOCOLS}: redis-protocol`,
  `${PROTOCOLS}: redis`,
  `${PROTOCOLS}: mqtt-protocol`,
  `${PROTOCOLS}: mqtt`,
  `${MIGRATING}: before`,
  `${MIGRATING}: after`,
  `${RECIPES}: deploy`,
  `${RECIPES}: haproxy`,
];

const timeout = 4 * PATIENCE;

/** Why the tests with a program of others are not run; `false` if they are. */
function missing(program: string, ...probe: string[]): string | false {
  const why = lacking(program, ...probe);
  if (why) console.log(`skipped: ${why}`);
  return why;
}

const noRedis = missing("redis-server", "--version");
const noMosquitto = missing("mosquitto", "-h");
const noHaproxy = missing("haproxy", "-v");

/** Waits until somebody listens on `port`. */
async function listening(port: number): Promise<void> {
  for (const end = performance.now() + PATIENCE; performance.now() < end; await pause(50)) {
    const caller = await call(port);
    const { closed } = caller;
    caller.leave();
    if (!closed) return;
  }
  throw new Error(`nobody listens on port ${port}`);
}

/** Runs a program to its end, and checks what it prints. */
async function prints(program: Program, text: string): Promise<void> {
  assertEquals([await program.ended(), program.stdout], [0, text], program.stderr);
}

test("each block of the pages that has a mark is run here", () => {
  const found = PAGES.flatMap(examplesOf).filter(({ block }) => block.mark !== "")
    .map(({ page, block }) => `${page}: ${block.mark}`);
  assertEquals(found.sort(), [...MARKED].sort());
});

// Existing protocols.

/** A server of others for one test, and the files of the page that speaks with it. */
interface Existing {
  readonly name: string;
  /** The port that the page names. */
  readonly port: number;
  readonly skip: string | false;
  start(port: number, folder: string): Program;
  /** How a program makes the protocol. */
  readonly make: string;
}

const EXISTING: readonly Existing[] = [
  {
    name: "redis",
    port: 6379,
    skip: noRedis,
    start: (port, folder) =>
      new Program("redis-server", [
        ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        ...["--dir", folder],
      ]),
    make: "redis",
  },
  {
    name: "mqtt",
    port: 1883,
    skip: noMosquitto,
    // Without a configuration it listens on the loopback address alone, and takes anybody.
    start: (port, folder) => new Program("mosquitto", ["-p", String(port)], folder),
    make: 'mqtt("test")',
  },
];

for (const { name, port: written, skip, start, make } of EXISTING) {
  const beside = { [`${name}.ts`]: marked(PROTOCOLS, `${name}-protocol`) };

  /** Runs `body` with a server of its own. */
  const withServer = async (body: (port: number, server: Program) => Promise<void>): Promise<void> => {
    const port = await freePort(), folder = mkdtempSync(join(tmpdir(), "holdfast-recipe-"));
    try {
      await using server = start(port, folder);
      await listening(port);
      await body(port, server);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };

  /** A program that opens a connection with this heartbeat, and goes on with `then`. */
  const client = (port: number, heartbeat: string, then: string): Program =>
    Program.of(
      `import { connect } from "@holdfast/holdfast";
       import { ${name} } from "./${name}.ts";
       const target = { hostname: "127.0.0.1", port: ${port} };
       const connection = await connect(target, { protocol: ${make}, heartbeat: ${heartbeat} });
       console.log("open");
       ${then}`,
      beside,
    );

  test(
    `${name}: the page's program talks to a real server`,
    { timeout, skip },
    () =>
      withServer(async (port) => {
        const example = examplesOf(PROTOCOLS).find(({ block }) => block.mark === name)!;
        assertStringIncludes(example.block.text, String(written));
        await using program = Program.of(example.block.text.replace(String(written), String(port)), beside);
        await prints(program, example.prints!);
      }),
  );

  test(
    `${name}: a real server that lives is kept, one that hangs is given up`,
    { timeout, skip },
    () =>
      withServer(async (port, server) => {
        await using program = client(
          port,
          "{ interval: 200, timeout: 1_000 }",
          `connection.onHealth = (health) => connection.stats().pongsReceived === 3 && console.log("three pongs");
         console.log((await connection.closed).code);`,
        );
        await program.said("three pongs");
        server.signal("SIGSTOP");
        assertEquals(await program.ended(), 0, program.stderr);
        assertStringIncludes(program.stdout, "heartbeat-timeout\n");
      }),
  );

  test(
    `${name}: a server that is killed ends the connection with a reason`,
    { timeout, skip },
    () =>
      withServer(async (port, server) => {
        await using program = client(
          port,
          "{}",
          `connection.onMessage = () => {};
         console.log((await connection.closed).code);`,
        );
        await program.said("open");
        server.signal("SIGKILL");
        assertEquals(await program.ended(), 0, program.stderr);
        // A protocol that greets says goodbye in order.
        assertEquals(program.stdout, name === "mqtt" ? "open\nreset\n" : "open\nclosed\n");
      }),
  );
}

test("mqtt: what we promise with sendEvery, we keep", { timeout, skip: noMosquitto }, async () => {
  const port = await freePort(), folder = mkdtempSync(join(tmpdir(), "holdfast-recipe-"));
  const { start } = EXISTING[1]!;
  try {
    await using _server = start(port, folder);
    await listening(port);
    // Mosquitto ends a client that was silent for one and a half of the promised second.
    const text = `import { connect } from "@holdfast/holdfast";
      import { mqtt } from "./mqtt.ts";
      const target = { hostname: "127.0.0.1", port: ${port} };
      const heartbeat = { interval: Infinity, sendEvery: 1_000 };
      const connection = await connect(target, { protocol: mqtt("quiet"), heartbeat });
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      console.log(connection.state);
      await connection.close();`;
    await using program = Program.of(text, { "mqtt.ts": marked(PROTOCOLS, "mqtt-protocol") });
    await prints(program, "open\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the page's protocols read the same however the bytes are split", { timeout }, async () => {
  const text = `import { redis } from "./redis.ts";
    import { mqtt } from "./mqtt.ts";
    import { deepEqual, throws } from "node:assert/strict";
    const bytes = (text: string) => new TextEncoder().encode(text);
    const publish = (size: number) => Uint8Array.of(0x30, (size + 3) & 127 | 128, (size + 3) >> 7, 0, 1, 116, ...bytes("x".repeat(size)));
    const cases = [
      [redis, bytes("+OK\\r\\n+PONG\\r\\n$4\\r\\nPONG\\r\\n:-7\\r\\n$-1\\r\\n*-1\\r\\n*2\\r\\n$0\\r\\n\\r\\n*1\\r\\n$6\\r\\n\\r\\n\\r\\né\\r\\n-ERR no\\r\\n")],
      [mqtt("x"), Uint8Array.of(0x20, 2, 0, 0, 0x90, 3, 0, 1, 0, ...publish(300), 0xd0, 0, 0x30, 3, 0, 1, 116)],
    ] as const;
    for (const [protocol, stream] of cases) {
      const read = (sizes: number) => {
        const wire = protocol.open(), seen: unknown[] = [];
        for (let at = 0; at < stream.length; at += sizes) {
          wire.receive(stream.slice(at, at + sizes), {
            message: (message) => void seen.push(message),
            ping: () => void seen.push("ping"),
            pong: () => void seen.push("pong"),
            hello: (hello) => void seen.push(hello),
          });
        }
        deepEqual(wire.unfinished, 0);
        return seen;
      };
      console.log(read(stream.length).length);
      for (const sizes of [1, 2, 3, 7]) deepEqual(read(sizes), read(stream.length));
      throws(() => protocol.open().receive(Uint8Array.of(0x20, 255, 255, 255, 255, 13, 10), { message() {}, ping() {}, pong() {} }));
    }`;
  await using program = Program.of(text, {
    "redis.ts": marked(PROTOCOLS, "redis-protocol"),
    "mqtt.ts": marked(PROTOCOLS, "mqtt-protocol"),
  });
  await prints(program, "8\n4\n");
});

// Migrating.

for (const mark of ["before", "after"]) {
  test(
    `migrating: the server ${mark} answers, asks, keeps who answers and drops who does not`,
    { timeout },
    async () => {
      const port = await freePort();
      const text = marked(MIGRATING, mark).replaceAll("8888", String(port)).replaceAll("30_000", "300");
      assert(!text.includes("8888"));
      await using program = Program.of(text);
      await program.said("listening");
      const caller = await call(port), silent = await call(port);
      assert(await caller.ask("hello\nwor", 5_000), "no answer");
      caller.write("ld\n");
      // It answers what it is asked, and the other one does not.
      let answered = 0;
      for (const end = performance.now() + PATIENCE; answered < 3 || !silent.closed; await pause(20)) {
        assert(
          performance.now() < end,
          `it was asked ${answered} times, the other one is closed: ${silent.closed}`,
        );
        const asked = caller.received.split("PING\n").length - 1;
        for (; answered < asked; answered++) caller.write("PONG\n");
      }
      assertEquals(caller.received.replaceAll("PING\n", ""), "HELLO\nWORLD\n");
      assertEquals(caller.closed, false);
      caller.leave();
    },
  );
}

// Drain on deploy.

test("deploy: SIGTERM sends clients away in order, and the process ends", { timeout }, async () => {
  const port = await freePort();
  await using program = Program.of(marked(RECIPES, "deploy").replace("8888", String(port)));
  await program.said("listening on");
  const connection = await connect({ hostname: "127.0.0.1", port }, { protocol: frames() });
  const notice = new Promise<DrainNotice>((resolve) => connection.onDrain = resolve);
  const answer = new Promise((resolve) => connection.onMessage = resolve);
  await connection.send("hello");
  assertEquals(await answer, "hello");
  program.signal("SIGTERM");
  const { retryAfter, within } = await notice;
  assertEquals([retryAfter, within], [1_000, 20_000]);
  const { code, farewell } = await connection.closed;
  assertEquals([code, farewell?.code, farewell?.retryAfter], ["closed", 1, 1_000]);
  assertEquals(await program.ended(), 0, program.stderr);
  assertStringIncludes(program.stdout, "closed: 1");
});

// Behind HAProxy.

/** The answer to one line, from the loopback address `from`. */
function asked(port: number, from: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dial({ port, host: "127.0.0.1", localAddress: from });
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error("no answer")));
    let received = "";
    socket.write("who am I?\n");
    socket.on("data", (bytes) => {
      received += bytes;
      if (!received.endsWith("\n")) return;
      socket.destroy();
      resolve(received);
    });
    socket.on("error", reject).on("end", () => reject(new Error(`it ended: ${received}`)));
  });
}

test("haproxy: the server knows its callers, and takes nobody who comes directly", {
  timeout,
  skip: noHaproxy,
}, async () => {
  const [front, back] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "holdfast-recipe-"));
  const ports = (text: string) => text.replaceAll("8887", String(front)).replaceAll("8888", String(back));
  try {
    writeFileSync(join(folder, "haproxy.cfg"), ports(marked(RECIPES, "haproxy-config")));
    await using server = Program.of(ports(marked(RECIPES, "haproxy")));
    await server.said("listening on");
    await using _proxy = new Program("haproxy", ["-db", "-f", "haproxy.cfg"], folder);
    await listening(front);
    assertEquals(await asked(front, "127.0.0.5"), "you are 127.0.0.5\n");
    assertEquals(await asked(front, "127.0.0.6"), "you are 127.0.0.6\n");
    const stranger = await call(back, "127.0.0.7");
    assertEquals(await stranger.ask("who am I?\n", 2_000), false);
    assertEquals(stranger.closed, true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
