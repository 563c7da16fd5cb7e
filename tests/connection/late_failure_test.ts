import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { failedLate } from "../../lib/connection/late_failure.ts";
import { ConnectionError } from "../../lib/errors.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { connect, serve } from "../../mod.ts";
import { testNetwork } from "../../lib/testing/network.ts";
import { live, settle } from "../support/live.ts";

/** Runs `body`, and gives what surfaced meanwhile that nobody caught. */
async function uncaught(body: () => void | Promise<void>): Promise<unknown[]> {
  const errors: unknown[] = [];
  const { queueMicrotask } = globalThis;
  // What a runtime does with an error that nobody caught ends a test: so it is caught on its way there.
  globalThis.queueMicrotask = (then) =>
    queueMicrotask(() => {
      try {
        then();
      } catch (error) {
        errors.push(error);
      }
    });
  try {
    await body();
    await settle();
  } finally {
    globalThis.queueMicrotask = queueMicrotask;
  }
  return errors;
}

const bug = new Error("a bug of the application");

for (const end of ["reset", "abort", "close"] as const) {
  test(`What onState throws at a client's ${end} is not swallowed`, async () => {
    const { socket, connection, ends } = live({ protocol: lines() });
    connection.onMessage = () => {};
    connection.onState = (state) => {
      if (state === "closed") throw bug;
    };
    const errors = await uncaught(() => {
      if (end === "reset") socket.fail("ECONNRESET");
      else if (end === "abort") connection.abort();
      else {
        void connection.close();
        socket.end();
      }
    });
    assertEquals(errors, [bug]);
    assertEquals(ends.map(({ code }) => code), [{ reset: "reset", abort: "aborted", close: "closed" }[end]]);
  });
}

test("What a callback throws while its connection lives ends that, and does not surface besides", async () => {
  const { connection, socket, ends } = live({ protocol: lines() });
  connection.onState = (state) => {
    // And again when it is closed for that.
    if (state !== "open") throw bug;
  };
  const errors = await uncaught(() => {
    void connection.close();
    socket.end();
  });
  assertEquals(errors, []);
  assertEquals(ends.map(({ code, cause }) => [code, cause]), [["handler-failed", bug]]);
});

test("What a callback's promise is rejected with after the end surfaces, unless it only tells of that", async () => {
  const { connection, socket } = live({ protocol: lines() });
  let fail!: (error: unknown) => void;
  connection.onMessage = () => new Promise((_, reject) => fail = reject);
  socket.receive("a\n");
  socket.fail("ECONNRESET");
  assertEquals(await uncaught(() => fail(bug)), [bug]);

  const other = live({ protocol: lines() });
  let told = false;
  other.connection.onMessage = async (_, same) => {
    await same.closed;
    told = true;
    await same.send("too late");
  };
  other.socket.receive("a\n");
  assertEquals(await uncaught(() => other.socket.fail("ECONNRESET")), []);
  assertStrictEquals(told, true);
});

test("failedLate() is silent about errors that an end of a connection has caused", async () => {
  const reason = new ConnectionError("reset", "gone", { origin: "network" });
  const told: unknown[] = [];
  failedLate(reason, undefined, (error) => told.push(error));
  const around = new Error("could not save", { cause: new Error("no stream", { cause: reason }) });
  failedLate(around, undefined, (error) => told.push(error));
  assertEquals(told, []);
  failedLate("not an error", undefined, (error) => told.push(error));
  assertEquals(told, ["not an error"]);
});

for (const resume of [false, true]) {
  test(`What a server's own code throws after the end is told to onError${resume ? ", of a session too" : ""}`, async () => {
    const net = testNetwork({ seed: 1 });
    const told: unknown[] = [];
    const handlerBug = new Error("a bug of the handler");
    const protocol = resume ? frames() : lines() as never;
    const server = await serve<string | Uint8Array, string>({
      port: 1,
      transport: net.transport,
      clock: net.clock,
      protocol: protocol as never,
      resume,
      onError: (error) => void told.push(error),
    }, async (connection) => {
      connection.onState = (state) => {
        if (state === "closed") throw bug;
      };
      await connection.closed;
      throw handlerBug;
    });
    const client = await net.clock.until(connect(server.address, {
      transport: net.transport,
      clock: net.clock,
      protocol: protocol as never,
      ...(resume && { resume: true, reconnect: false as never }),
    }));
    await net.clock.run(100);
    server.abort();
    await net.clock.run(1_000);
    assertEquals(told, [bug, handlerBug]);
    client.abort();
    await net.clock.until(server.closed);
  });
}
