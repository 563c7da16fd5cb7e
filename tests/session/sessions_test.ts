import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { frames } from "../../lib/protocol/frames.ts";
import { serve } from "../../lib/server.ts";
import { dialled, serving, world } from "./pair.ts";

test("Of the sessions that are away no more are kept than may be: the one away longest is told lost", async () => {
  const given = world();
  const { clock, network } = given;
  const far = await serving(given, { resume: { maxAway: 2 } });
  const clients = [];
  // They cannot come back: each has one try, and the next server is not there.
  for (let i = 0; i < 3; i++) {
    clients.push(await dialled(given, { resume: true, reconnect: { initial: 60_000, jitter: 0 } }));
  }
  const reasons: string[] = [];
  for (const connection of far.handled) void connection.closed.then(({ code }) => reasons.push(code));
  network.reset();
  await clock.run(100);
  assertEquals(far.handled.map(({ state }) => state), ["closed", "away", "away"]);
  assertEquals(reasons, ["session-lost"]);
  for (const client of clients) client.abort();
  far.server.abort();
  await clock.run(10);
});

test("A bound on sessions that is none is refused", async () => {
  await assertRejects(
    () => serve({ port: 0, protocol: frames(), resume: { maxAway: 0 } }, () => {}),
    RangeError,
    `Cannot serve as "resume.maxAway" must be a whole number >= 1: current value is 0`,
  );
});
