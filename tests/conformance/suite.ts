/**
 * What every transport must do, written once, in four parts: `opening.ts` (connecting, listening, addresses,
 * options), `data.ts` (bytes, back-pressure, who owns a buffer), `endings.ts` (FIN, RST, `abort`, `close`) and
 * `limits.ts` (many sockets, descriptors, memory, the process's own life).
 *
 * @module
 */

import type { Transport } from "../../lib/transport/transport.ts";
import { testData } from "./data.ts";
import { testEndings } from "./endings.ts";
import type { Kind, Suite, Traits } from "./harness.ts";
import { testLimits } from "./limits.ts";
import { testOpening } from "./opening.ts";

export type { BlackHole, Kind, Traits } from "./harness.ts";

/**
 * Declares the tests that say whether `transport` keeps the contract on sockets of one kind. `label` begins
 * each test's name; `traits` says what the suite must know that the transport's capabilities do not say.
 */
export function testTransport(transport: Transport, label: string, kind: Kind, traits: Traits = {}): void {
  const suite: Suite = {
    ...traits,
    transport,
    label,
    kind,
    resets: kind === "tcp" && transport.capabilities.reset,
  };
  testOpening(suite);
  testData(suite);
  testEndings(suite);
  testLimits(suite);
}
