/**
 * Conformance: a dial ends when it should, also where nobody ever answers, and leaves nothing behind.
 *
 * @module
 */

import { assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { describe } from "../../lib/transport/failure.ts";
import type { TcpAddress } from "../../lib/transport/transport.ts";
import { countedSignal } from "../support/counted_signal.ts";
import { start } from "../support/runtime.ts";
import {
  type Bench,
  type BlackHole,
  bytesOf,
  check,
  descriptors,
  eventually,
  Log,
  pass,
  refusal,
  skip,
  type Suite,
  toArgument,
  within,
} from "./harness.ts";

export function testDialling(suite: Suite): void {
  const { transport } = suite;

  check(suite, "a signal that has already fired stops connect", async (bench) => {
    const { listener } = await bench.listen();
    const reason = new Error("changed my mind");
    const thrown = await assertRejects(() =>
      transport.connect(listener.address, { signal: AbortSignal.abort(reason) })
    );
    assertEquals(thrown, reason);
  });

  check(suite, "a signal that fires in the turn of connect stops it", async (bench) => {
    const { listener } = await bench.listen();
    const controller = new AbortController();
    const connecting = transport.connect(listener.address, { signal: controller.signal });
    const reason = new Error("changed my mind");
    controller.abort(reason);
    assertEquals(await assertRejects(() => within(connecting, "connect")), reason);
  });

  check(suite, "a signal and a timeout that come after the open have no effect", async (bench) => {
    const door = await bench.listen();
    const counted = countedSignal();
    const client = await bench.connect(door.listener.address, { signal: counted.signal, timeout: 150 });
    const server = new Log(await door.next()).start();
    const log = new Log(client).start();
    assertEquals(counted.listeners(), 0, "still listens to the signal");
    counted.abort();
    await pass(250);
    client.write(bytesOf("still open"));
    await server.until("the bytes", () => server.received === 10);
    assertEquals(log.events.filter((name) => name !== "written"), []);
  });

  // Nobody gets as far as TLS there. See tls.ts for those who fall silent later.
  if (!suite.secured) testBlackHole(suite);
}

/** Dialling an address that never answers: it ends in time, and leaves nothing behind. */
function testBlackHole(suite: Suite): void {
  const { transport, kind, label, module } = suite;
  const blackHole = suite.blackHole ?? deafListener;
  if (suite.blackHole === undefined && kind === "unix") {
    skip(
      `${label} unix: connect to a peer that never answers`,
      "a Unix socket whose backlog is full refuses",
    );
    return;
  }

  check(suite, "connect gives up after its timeout", async (bench) => {
    const { target } = await open(bench);
    const began = performance.now();
    const error = await refusal(transport.connect(target, { timeout: 300 }));
    assertEquals(error.code, "connect-timeout");
    assertEquals(error.message, `Cannot connect to ${describe(target)}: no answer in 300 ms`);
    assertGreater(performance.now() - began, 290);
    assertLess(performance.now() - began, 10_000);
  });

  check(suite, "connect gives up when its signal fires, and leaves nothing behind", async (bench) => {
    const { target } = await open(bench);
    const before = await descriptors();
    const counted = countedSignal();
    const tries = Array.from(
      { length: 10 },
      () => transport.connect(target, { signal: counted.signal, timeout: 60_000 }),
    );
    await pass(150);
    const reason = counted.abort();
    for (const attempt of tries) {
      assertEquals(await assertRejects(() => within(attempt, "connect", 5_000)), reason);
    }
    assertEquals(counted.listeners(), 0, "still listens to the signal");
    if (before === undefined || module === undefined) return;
    await eventually("the sockets' end", async () => (await descriptors())! <= before);
  });

  check(suite, "a signal that is heard in vain is let go", async (bench) => {
    const { target } = await open(bench);
    const counted = countedSignal();
    await refusal(transport.connect(target, { signal: counted.signal, timeout: 100 }));
    assertEquals(counted.listeners(), 0, "still listens to the signal");
  });

  if (module === undefined) return;

  check(suite, "a process ends although it was dialling", async (bench) => {
    const { target } = await open(bench);
    for (const how of ["timeout", "abort"]) {
      const program = start(new URL("programs/dial.ts", import.meta.url), [
        module.href,
        toArgument(target),
        how,
      ]);
      bench.after(() => program.kill("SIGKILL"));
      assertEquals(await program.line(), how === "timeout" ? "connect-timeout" : "changed my mind");
      assertEquals(await program.ended(5_000), 0);
    }
  });

  async function open(bench: Bench): Promise<BlackHole> {
    const hole = await blackHole();
    bench.after(() => hole.close());
    return hole;
  }
}

/** A listener whose process is stopped and whose backlog is full, so that the kernel answers no SYN. */
export async function deafListener(): Promise<BlackHole> {
  const { default: net } = await import("node:net");
  const program = start(new URL("programs/deaf.ts", import.meta.url));
  const target = JSON.parse(await program.line()) as TcpAddress;
  program.kill("SIGSTOP");
  const fillers: { destroy(): void }[] = [];
  // Bun does not pass the backlog on, and takes 512.
  for (let i = 0;; i++) {
    const filler = net.connect({ host: target.hostname, port: target.port });
    filler.on("error", () => {});
    fillers.push(filler);
    const opened = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 300);
      filler.once("connect", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!opened) break;
    if (i === 1_000) throw new Error("the backlog never fills");
  }
  return {
    target,
    async close() {
      for (const filler of fillers) filler.destroy();
      program.kill("SIGKILL");
      await program.ended();
    },
  };
}
