import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ConnectionError } from "../../lib/errors.ts";
import { Entrance } from "../../lib/server/entrance.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { Wheel } from "../../lib/time/wheel.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { settle } from "../support/live.ts";

const listenFailed = (systemCode: string) =>
  new ConnectionError("listen-failed", `Cannot listen: ${systemCode}`, { systemCode });

/** A transport that can be told to fail, and writes down when it was asked. */
class Flaky extends FakeTransport {
  readonly clock: FakeClock;
  readonly tries: number[] = [];
  /** What the next tries come to; success once there is no more. */
  readonly failures: Error[] = [];
  /** Holds tries back until it is resolved. */
  gate: Promise<void> = Promise.resolve();
  closes = 0;

  constructor(clock: FakeClock) {
    super();
    this.clock = clock;
  }

  override async listen(...[target, options]: Parameters<FakeTransport["listen"]>) {
    this.tries.push(this.clock.now());
    await this.gate;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const listener = await super.listen(target, options);
    return {
      ...listener,
      close: () => {
        this.closes++;
        return listener.close();
      },
    };
  }
}

async function bench() {
  const clock = new FakeClock(), wheel = new Wheel(clock), transport = new Flaky(clock);
  const told: unknown[] = [];
  const entrance = new Entrance(transport, { accept() {} }, { clock, wheel }, {
    died: (error) => void told.push(error),
    reopened: () => void told.push("reopened"),
    lost: (error) => void told.push(error),
  });
  await entrance.open({ hostname: "127.0.0.1", port: 0 });
  transport.tries.length = 0;
  const die = (error = new Error("gone")) => transport.listening!.died!(error);
  /** Lets time pass in steps small enough for promises to keep up. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      await settle();
    }
  };
  return { clock, wheel, transport, told, entrance, die, pass };
}

test("A listener that dies is opened again at once, where it was", async () => {
  const { transport, told, entrance, die, clock } = await bench();
  const death = new Error("gone");
  die(death);
  await settle();
  assertEquals(told, [death, "reopened"]);
  assertEquals(transport.tries, [0]);
  // The port that the system chose, not another one.
  assertEquals(transport.listenedOn, { hostname: "127.0.0.1", port: 4242 });
  assertEquals(entrance.address, { hostname: "127.0.0.1", port: 4242 });
  assertEquals(clock.pending, 0);
});

test("It is tried six times, ever more slowly, and then lost with the last reason", async () => {
  const { transport, told, die, pass, clock, wheel } = await bench();
  const last = listenFailed("EACCES");
  transport.failures.push(...Array.from({ length: 5 }, () => listenFailed("EADDRINUSE")), last);
  die();
  await settle();
  await pass(5_000);
  assertEquals(transport.tries, [0, 100, 300, 700, 1_500, 2_500]);
  const [, error, ...more] = told as ConnectionError[];
  assertEquals(more, []);
  assertEquals([error!.code, error!.systemCode, error!.origin], ["listen-failed", "EACCES", "local"]);
  assertEquals(error!.message, "Server lost its listener for good, in 6 tries: Cannot listen: EACCES");
  assertStrictEquals(error!.cause, last);
  assertEquals([clock.pending, wheel.size], [0, 0]);
});

test("The sixth try may be the one that succeeds", async () => {
  const { transport, told, die, pass, clock } = await bench();
  transport.failures.push(...Array.from({ length: 5 }, () => listenFailed("EADDRINUSE")));
  die();
  await pass(3_000);
  assertEquals([transport.tries.length, told.at(-1)], [6, "reopened"]);
  assertEquals(clock.pending, 0);
});

test("Want of descriptors is waited out, however long it takes", async () => {
  const { transport, told, die, pass } = await bench();
  transport.failures.push(...Array.from({ length: 50 }, () => listenFailed("EMFILE")));
  die();
  await pass(60_000);
  assertEquals([transport.tries.length, told.at(-1)], [51, "reopened"]);
});

test("One that dies as soon as it is open is not opened without end", async () => {
  const { transport, told, pass } = await bench();
  for (let i = 0; i < 10 && transport.listening !== undefined; i++) {
    const { died } = transport.listening;
    transport.listening = undefined;
    died!(new Error("gone"));
    await pass(1_100);
  }
  assertEquals(transport.tries.length, 6);
  assert(told.at(-1) instanceof ConnectionError);
  assert((told.at(-1) as Error).message.endsWith("in 6 tries: gone"));
});

test("One that lived for 10 s has all its tries again", async () => {
  const { transport, told, die, pass } = await bench();
  for (let i = 0; i < 20; i++) {
    die();
    await settle();
    await pass(10_000);
  }
  assertEquals(transport.tries.length, 20);
  assertEquals(told.filter((what) => what === "reopened").length, 20);
});

test("close() takes back a try that is waited for, and one that is under way", async () => {
  const waiting = await bench();
  waiting.transport.failures.push(listenFailed("EADDRINUSE"));
  waiting.die();
  await settle();
  assertEquals(waiting.clock.pending, 1);
  await waiting.entrance.close();
  assertEquals([waiting.clock.pending, waiting.wheel.size], [0, 0]);
  await waiting.pass(5_000);
  assertEquals(waiting.transport.tries, [0]);

  const { transport, told, entrance, die } = await bench();
  let open!: () => void;
  transport.gate = new Promise((resolve) => open = resolve);
  die();
  let closed = false;
  const over = entrance.close().then(() => closed = true);
  await settle();
  assert(!closed, "the address may be taken any moment");
  open();
  await over;
  assertEquals([transport.closes, transport.listening], [1, undefined]);
  assertEquals(told.length, 1);
});

test("A death during or after close() is nobody's business", async () => {
  const { transport, told, entrance } = await bench();
  const { died } = transport.listening!;
  await entrance.close();
  died!(new Error("gone"));
  await settle();
  assertEquals([told, transport.tries], [[], []]);
});

test("unref() holds for the next listener too", async () => {
  const { transport, entrance, die } = await bench();
  entrance.unref();
  transport.held = true;
  die();
  await settle();
  assert(!transport.held);
  entrance.ref();
  assert(transport.held);
});

test("A first try that fails is the caller's to know", async () => {
  const clock = new FakeClock(), transport = new Flaky(clock);
  const failure = listenFailed("EADDRINUSE");
  transport.failures.push(failure);
  const owner = { died() {}, reopened() {}, lost() {} };
  const entrance = new Entrance(transport, { accept() {} }, { clock, wheel: new Wheel(clock) }, owner);
  const error = await assertRejects(() => entrance.open({ hostname: "127.0.0.1", port: 1 }));
  assertStrictEquals(error, failure);
  assertEquals(clock.pending, 0);
});
