/**
 * A memory network on a clock of its own, with weather and chance from a seed, and with ends that stop reading.
 *
 * @module
 */

import { type Direction, memoryNetwork, type Weather } from "../transport/memory.ts";
import type { Faults, MemoryLink } from "../transport/memory.ts";
import type { Target, Transport } from "../transport/transport.ts";
import { FakeClock } from "./fake_clock.ts";
import { seeded } from "./seeded.ts";
import { type End, Stalls } from "./stalls.ts";

/** How a test network is made. Times are in milliseconds. */
export interface TestNetworkOptions extends Weather {
  /** What all chance is drawn from: the same seed gives the same run. @default {1} */
  readonly seed?: number | undefined;
  /**
   * Delivers what was sent in pieces, cut by lot, as a real network may: code that takes a chunk for a message is
   * found out.
   *
   * @default {false}
   */
  readonly split?: boolean | undefined;
  /**
   * Bytes that the kernels of both ends take in one direction before the sender is held back.
   *
   * @default {262_144}
   */
  readonly bufferBytes?: number | undefined;
}

/** What can go wrong on a test network, for connections there are and for those to come. */
export interface TestFaults extends Faults {
  /**
   * One end of each connection takes no bytes any more, as a program that hangs. Unlike after a `cut` they still
   * arrive, until the kernel's buffer is full and the other end is held back; resets arrive too. What the stalled
   * end itself sends goes out, and its own heartbeat goes on, hearing nothing.
   */
  stall(end: "client" | "server"): void;
  /** Ends every cut and every stall. What waited sets out again; resets that were sent meanwhile are lost. */
  heal(): void;
}

/**
 * A network for one test. Its faults work on all connections, those to come included; with {@linkcode to}, only on
 * those to one address. All of its functions may be taken out of it and called alone.
 */
export interface TestNetwork extends TestFaults {
  /** The time and the chance of all that happens on it. Give it to `serve` and `connect`. */
  readonly clock: FakeClock;
  /** Opens sockets and listeners on it. Give it to `serve` and `connect`. */
  readonly transport: Transport;
  /** The connections there are, oldest first, each with faults of its own. */
  readonly links: readonly MemoryLink[];
  /** The same faults for connections to `target` alone. Its `heal` does not end what was done to the whole network. */
  to(target: Target): TestFaults;
}

/**
 * Creates a network for one test, which reaches no other. Host names are taken as they are: none is looked up.
 *
 * @throws {RangeError} If `bufferBytes` is not above 0, or `delay` or `jitter` is below 0.
 *
 * @example One way is cut: our questions arrive, the answers do not
 * ```ts
 * import { connect, lines, serve } from "@holdfast/holdfast";
 * import { testNetwork } from "@holdfast/holdfast/testing";
 * import { equal } from "node:assert/strict";
 *
 * const { clock, transport, cut, heal } = testNetwork({ seed: 7, split: true });
 * const where = { hostname: "server.test", port: 7 };
 * const common = { transport, clock, protocol: lines() };
 * await serve({ ...common, ...where }, (connection) => {
 *   connection.onMessage = (line) => connection.send(line.toUpperCase());
 * });
 *
 * const connection = await clock.until(connect(where, common));
 * const messages = connection[Symbol.asyncIterator]();
 * cut("to-client");
 * await connection.send("hello");
 * await clock.run(1_000);
 * equal(connection.stats().messagesReceived, 0);
 *
 * heal();
 * equal((await clock.until(messages.next())).value, "HELLO");
 * ```
 */
export function testNetwork(options: TestNetworkOptions = {}): TestNetwork {
  const { seed = 1, split = false, bufferBytes, delay = 0, jitter = 0 } = options;
  for (const [name, value] of Object.entries({ delay, jitter })) {
    if (value >= 0) continue;
    throw new RangeError(`Cannot create a network as "${name}" must be >= 0: current value is ${value}`);
  }

  const clock = new FakeClock(0, seeded(seed));
  // A source of its own, so that whether chunks are split does not change what else is drawn.
  const cuts = seeded(seed ^ 0x5bd1e995);
  const network = memoryNetwork({
    clock,
    bufferBytes,
    split: split ? (available) => 1 + Math.floor(cuts() * available) : undefined,
  });
  network.shape({ delay, jitter });

  const stalls = new Stalls(network.transport);
  const faults = (target: Target | undefined): TestFaults => {
    const { cut, heal, reset, shape } = target === undefined ? network : network.to(target);
    return {
      cut: (direction?: Direction) => cut(direction),
      shape,
      reset,
      stall: (end: End) => stalls.begin(end, target),
      heal() {
        heal();
        stalls.end(target);
      },
    };
  };
  return {
    clock,
    transport: stalls.transport,
    get links() {
      return network.links;
    },
    to: faults,
    ...faults(undefined),
  };
}
