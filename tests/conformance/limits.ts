/**
 * Conformance: many sockets, few descriptors, little memory, and a process that ends when it should.
 *
 * @module
 */

import process from "node:process";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { Address } from "../../lib/transport/transport.ts";
import { hasUlimit, type Program, start } from "../support/runtime.ts";
import {
  type Bench,
  bytesOf,
  check,
  descriptors,
  eventually,
  Log,
  pass,
  pattern,
  skip,
  type Suite,
  toArgument,
} from "./harness.ts";

export function testLimits(suite: Suite): void {
  check(suite, "200 sockets at once", async (bench) => {
    const answers: Log[] = [];
    const { listener } = await bench.listen({
      accept: (socket) => {
        const log = new Log(socket);
        log.onData = (chunk) => void socket.write(chunk);
        log.onEnd = () => socket.shutdown();
        answers.push(log.start());
      },
    });
    const clients = await Promise.all(
      Array.from({ length: 200 }, async () => new Log(await bench.connect(listener.address)).start()),
    );
    clients.forEach(({ socket }, i) => socket.write(pattern(5_000, i)));
    for (const [i, log] of clients.entries()) {
      await log.until("the answer", () => log.received === 5_000);
      assertEquals(log.bytes(), pattern(5_000, i));
      log.socket.shutdown();
    }
    for (const log of [...clients, ...answers]) {
      await log.closed();
      assertEquals(log.error, undefined);
      assertEquals(log.closes, 1);
    }
  });

  const rounds = suite.secured ? 15 : 50; // A handshake takes a millisecond of each side.
  check(suite, `${rounds * 20} sockets opened and closed leave nothing behind`, async (bench) => {
    const { listener } = await bench.listen({
      accept: (socket) => {
        const log = new Log(socket);
        log.onEnd = () => socket.shutdown();
        log.start();
      },
    });
    const before = suite.module && await descriptors();
    for (let round = 0; round < rounds; round++) {
      const logs = await Promise.all(
        Array.from({ length: 20 }, async () => new Log(await bench.connect(listener.address)).start()),
      );
      logs.forEach(({ socket }, i) => {
        socket.write(bytesOf("x"));
        // Some end in order, some are dropped.
        if (i % 2) socket.shutdown();
        else socket.abort();
      });
      for (const log of logs) await log.closed();
    }
    if (before === undefined) return;
    await eventually("the descriptors' end", async () => (await descriptors())! <= before + 2);
  });

  const { module } = suite;
  if (module === undefined) return;

  check(suite, "a listener holds its process, and an unref'ed one does not", async (bench) => {
    await holds(bench, module, "listener-unref", false);
    if (suite.secured) return; // The rest has nothing to do with what is spoken.
    await holds(bench, module, "listener", true);
    await holds(bench, module, "listener-unref-ref", true);
    await holds(bench, module, "listener-closed", false);
  });

  check(suite, "a socket holds its process, and an unref'ed one does not", async (bench) => {
    await holds(bench, module, "sockets", true);
    await holds(bench, module, "sockets-unref", false);
    await holds(bench, module, "sockets-unref-ref", true);
    await holds(bench, module, "sockets-paused", true);
    await holds(bench, module, "sockets-aborted", false);
    await holds(bench, module, "sockets-shutdown", false);
  });

  check(suite, "the end of a peer's process is seen", async (bench) => {
    const target = suite.kind === "tcp" ? { hostname: "127.0.0.1", port: 0 } : bench.target();
    const program = run(bench, "listen", [module.href, toArgument(target)]);
    const address = JSON.parse(await program.line()) as Address;
    const idle = new Log(await bench.connect(address)).start();
    const talking = new Log(await bench.connect(address)).start();
    talking.socket.write(bytesOf("hello"));
    await talking.until("the answer", () => talking.received === 5);
    program.kill("SIGKILL");
    for (const log of [idle, talking]) {
      await log.until("the end", () => log.closes > 0 || log.events.includes("end"));
      log.socket.shutdown();
      await log.closed();
    }
  });

  const exhaustion = "running out of descriptors pauses the listener, and harms nobody";
  if (!hasUlimit) skip(`${suite.label} ${suite.kind}: ${exhaustion}`, "there is no ulimit");
  else {
    check(suite, exhaustion, async (bench) => {
      const target = suite.kind === "tcp" ? { hostname: "127.0.0.1", port: 0 } : bench.target();
      const program = start(
        new URL("programs/exhaust.ts", import.meta.url),
        [module.href, toArgument(target)],
        { descriptors: 100 },
      );
      bench.after(() => program.kill("SIGKILL"));
      const address = JSON.parse(await program.line()) as Address;

      const logs: Log[] = [];
      const ask = async (log: Log) => {
        const expected = log.received + 1;
        log.socket.write(bytesOf("?"));
        await log.until("an answer", () => log.received >= expected);
      };
      for (let i = 0; i < 20; i++) logs.push(new Log(await bench.connect(address)).start());
      const old = logs.slice();
      for (const log of old) await ask(log);

      // Some of these are refused or dropped; which, depends on the runtime.
      const more = await Promise.allSettled(
        Array.from({ length: 130 }, () => suite.transport.connect(address, { timeout: 3_000 })),
      );
      for (const result of more) {
        if (result.status !== "fulfilled") continue;
        bench.after(() => result.value.abort());
        logs.push(new Log(result.value).start());
      }
      program.send("cpu");
      await program.line();
      await pass(2_000);
      program.send("cpu");
      const [busy, seconds] = JSON.parse(await program.line()) as [number, number];
      assertLess(busy / seconds, 0.6, "it burns the processor while it cannot accept");
      for (const log of old) await ask(log);

      // Relief: it accepts again, by itself.
      for (const log of logs.slice(20)) log.socket.abort();
      await eventually("an answer to a new peer", async () => {
        try {
          const log = new Log(await bench.connect(address, { timeout: 1_000 })).start();
          log.socket.write(bytesOf("?"));
          await log.until("an answer", () => log.received > 0 || log.closes > 0, 1_000);
          return log.received > 0;
        } catch {
          return false;
        }
      });
      for (const log of old) await ask(log);
      program.send("quit");
      assertEquals(await program.ended(), 0, program.stderr());
    });
  }

  check(suite, "an idle socket takes little memory", async (bench) => {
    const target = suite.kind === "tcp" ? { hostname: "127.0.0.1", port: 0 } : bench.target();
    const program = run(bench, "idle", [module.href, toArgument(target), suite.secured ? "400" : "2000"]);
    const bytes = Number(await program.line());
    assert(Number.isFinite(bytes));
    // The state of TLS itself takes some 10 to 40 KiB.
    assertLess(bytes, (suite.secured ? 88 : 24) * 1024, "an idle socket holds on to a read buffer");
    assertGreater(bytes, 0);
    assertEquals(await program.ended(), 0);
  });
}

/** Runs `programs/hold.ts` and sees whether it stays alive. */
async function holds(bench: Bench, module: URL, what: string, expected: boolean): Promise<void> {
  const target = bench.suite.kind === "tcp" ? { hostname: "127.0.0.1", port: 0 } : bench.target();
  const program = run(bench, "hold", [module.href, toArgument(target), what]);
  assertEquals(await program.line(), "ready");
  if (!expected) {
    assertEquals(await program.ended(), 0, `${what}: ${program.stderr()}`);
    return;
  }
  await pass(700);
  try {
    process.kill(program.pid, 0); // Throws if it is gone.
  } catch {
    throw new Error(`${what}: the process ended\n${program.stderr()}`);
  }
  program.kill("SIGKILL");
  assertEquals(await program.ended(), -1, `${what}: the process ended by itself`);
}

function run(bench: Bench, name: string, args: string[]): Program {
  const program = start(new URL(`programs/${name}.ts`, import.meta.url), args);
  bench.after(() => program.kill("SIGKILL"));
  return program;
}
