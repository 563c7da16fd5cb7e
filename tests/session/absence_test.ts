import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Absence } from "../../lib/session/absence.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { connectionPolicy } from "../../lib/connection/policy.ts";
import { Redial } from "../../lib/session/redial.ts";
import { serving, WHERE, world } from "./pair.ts";

test("The process is held while the connection is away, and let go once it is back", () => {
  const log: boolean[] = [];
  const absence = new Absence((on) => log.push(on));
  absence.end();
  assertEquals(log, []);
  absence.begin();
  absence.begin();
  assertEquals(log, [true]);
  absence.end();
  absence.end();
  assertEquals(log, [true, false]);
});

test("A connection that was taken the reference does not hold it, until it is given back", () => {
  const log: boolean[] = [];
  const absence = new Absence((on) => log.push(on));
  absence.reference(false);
  absence.begin();
  assertEquals(log, []);
  absence.reference(true);
  absence.reference(false);
  assertEquals(log, [true, false]);
  absence.reference(true);
  absence.end();
  absence.reference(false);
  absence.reference(true);
  assertEquals(log, [true, false, true, false]);
});

test("A client is held from its first dial on whenever it has no socket, and not after its end", async () => {
  const it = world();
  const { transport, clock } = it;
  const policy = connectionPolicy(
    { action: "test", role: "client" },
    { clock, protocol: frames(), heartbeat: false },
  );
  const log: string[] = [];
  const redial = new Redial({
    targets: [WHERE],
    policy,
    options: { waitForFirst: true },
    resume: false,
    signal: undefined,
    dial: (target, signal) => transport.connect(target, { signal }),
    hold: (on) => log.push(`${Math.floor(clock.now() / 1_000)} ${on}`),
  });
  clock.wakeAfter(500, () => void serving(it));
  const connection = await clock.until(redial.open());
  assertEquals(log, ["0 true", "1 false"]);
  await clock.run(1_000);
  it.network.reset();
  await clock.run(5_000);
  connection.unref();
  it.network.reset();
  await clock.run(200);
  assertEquals(log, ["0 true", "1 false", "2 true", "4 false"]);
  connection.ref();
  connection.abort();
  assertEquals(log.slice(4).map((entry) => entry.split(" ")[1]), ["true", "false"]);
});
