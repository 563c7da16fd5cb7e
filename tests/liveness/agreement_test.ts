import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { agreed, type HeartbeatTerms, termsOf } from "../../lib/liveness/agreement.ts";
import { type HeartbeatPolicy, NO_HEARTBEAT } from "../../lib/liveness/heartbeat_policy.ts";

const ours = (interval: number, sendEvery = Infinity): HeartbeatPolicy => ({
  interval,
  timeout: 10_000,
  minTimeout: 10_000,
  sendEvery,
  steady: false,
});

const theirs = (sendEvery: number, hearEvery = 0, minPingGap = 0): HeartbeatTerms => ({
  sendEvery,
  hearEvery,
  minPingGap,
});

test("What we tell is what we promise, what we want to hear, and the gap; never is 0", () => {
  assertEquals(termsOf(ours(30_000, 5_000), 1_000), {
    sendEvery: 5_000,
    hearEvery: 30_000,
    minPingGap: 1_000,
  });
  assertEquals(termsOf(NO_HEARTBEAT, 0), { sendEvery: 0, hearEvery: 0, minPingGap: 0 });
});

for (
  const [what, mine, peer, interval] of [
    ["without a promise we ask as often as we like", 100, theirs(0), 100],
    ["a peer that sends less often than we like is not asked before it has to send", 100, theirs(150), 150],
    ["one that sends more often is asked when we like", 100, theirs(50), 100],
    ["one that sends as often, too", 100, theirs(100), 100],
    ["nobody is asked sooner than it allows", 100, theirs(0, 0, 250), 250],
    ["the longest of the three counts", 100, theirs(150, 0, 120), 150],
    ["who never asks does not begin to", Infinity, theirs(100, 100, 100), Infinity],
  ] as const
) {
  test(`Asking: ${what}`, () => assertEquals(agreed(ours(mine), peer).interval, interval));
}

for (
  const [what, mine, peer, sendEvery] of [
    ["a peer that wants nothing gets what we send anyway", 100, theirs(0), 100],
    ["and nothing from who promises nothing", Infinity, theirs(0), Infinity],
    ["a promise is kept a little ahead: a beat takes time to arrive", 100, theirs(0, 100), 80],
    ["a peer that wants less may still get as often as we like", 100, theirs(0, 1_000), 100],
    ["a peer that wants more gets what was promised", 100, theirs(0, 10), 80],
    ["no promise is none, however much it wants", Infinity, theirs(0, 100), Infinity],
    ["beats are pings, so none comes sooner than the peer allows", 100, theirs(0, 100, 500), 500],
  ] as const
) {
  test(`Sending: ${what}`, () => assertEquals(agreed(ours(1_000, mine), peer).sendEvery, sendEvery));
}

test("What is not negotiated stays as it is", () => {
  const policy: HeartbeatPolicy = { ...ours(100, 50), minTimeout: 5, steady: true };
  const { timeout, minTimeout, steady } = agreed(policy, theirs(500, 500, 500));
  assertEquals([timeout, minTimeout, steady], [10_000, 5, true]);
});

test("Both ends come to the same: whoever sends does so before the other would ask", () => {
  for (const sendEvery of [10, 100, 1_000, Infinity]) {
    for (const interval of [10, 100, 1_000, Infinity]) {
      const sender = ours(Infinity, sendEvery), hearer = ours(interval);
      const sends = agreed(sender, termsOf(hearer, 0)).sendEvery;
      const asks = agreed(hearer, termsOf(sender, 0)).interval;
      if (sendEvery < Infinity && interval < Infinity) {
        assertEquals(asks, Math.max(sendEvery, interval));
        assertEquals(sends <= asks, true, `${sendEvery} ${interval}: ${sends} ${asks}`);
      }
    }
  }
});
