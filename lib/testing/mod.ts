/**
 * For tests of your own: a clock that moves only when told to, and a network within the process whose faults are
 * drawn from a seed. Hours pass in milliseconds, and the same test gives the same run each time.
 *
 * @example A peer that is gone without a word is given up after the interval and the timeout
 * ```ts
 * import { connect, lines, serve } from "@holdfast/holdfast";
 * import { testNetwork } from "@holdfast/holdfast/testing";
 * import { equal, ok } from "node:assert/strict";
 *
 * const { clock, transport, cut } = testNetwork({ seed: 1, delay: 20, jitter: 5 });
 * const where = { hostname: "server.test", port: 7 };
 * const common = { transport, clock, protocol: lines() };
 * const heartbeat = { interval: 30_000, timeout: 10_000 };
 *
 * await serve({ ...common, ...where, heartbeat: false }, (peer) => {
 *   peer.onMessage = (line) => peer.send(line);
 * });
 * const connection = await clock.until(connect(where, { ...common, heartbeat }));
 *
 * await clock.run(3_600_000);
 * equal(connection.state, "open");
 *
 * cut();
 * const before = clock.now();
 * const { code } = await clock.until(connection.closed);
 * equal(code, "heartbeat-timeout");
 * ok(clock.now() - before <= 40_100);
 * ```
 *
 * @module
 */

export { FakeClock } from "./fake_clock.ts";
export { type TestFaults, type TestNetwork, testNetwork, type TestNetworkOptions } from "./network.ts";
export { seeded } from "./seeded.ts";
