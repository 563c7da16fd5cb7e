/**
 * What every transport must do, written once, in parts:
 *
 * - `opening.ts`: connecting, listening, addresses, options
 * - `dialling.ts`: signals and timeouts, also where nobody answers
 * - `system.ts`: what the kernel and the file system see
 * - `data.ts`: bytes, back-pressure, who owns a buffer
 * - `endings.ts`: FIN, RST, `abort`, `close`
 * - `limits.ts`: many sockets, descriptors, memory, the process's own life
 * - `tls.ts`: what TLS adds; all the others run over TLS too, with a transport that speaks it by itself (`secured.ts`)
 *
 * @module
 */

import type { Transport } from "../../lib/transport/transport.ts";
import { testData } from "./data.ts";
import { testDialling } from "./dialling.ts";
import { testEndings } from "./endings.ts";
import type { Kind, Suite, Traits } from "./harness.ts";
import { TLS_PREFIX } from "./programs/load.ts";
import { testLimits } from "./limits.ts";
import { testOpening } from "./opening.ts";
import { testSystem } from "./system.ts";
import { testTls } from "./tls.ts";

export type { BlackHole, Kind, Traits } from "./harness.ts";

/**
 * Declares the tests that say whether `transport` keeps the contract on sockets of one kind. `label` begins
 * each test's name; `traits` says what the suite must know that the transport's capabilities do not say.
 */
export function testTransport(transport: Transport, label: string, kind: Kind, traits: Traits = {}): void {
  testSuite({
    ...traits,
    transport,
    label,
    kind,
    resets: kind === "tcp" && transport.capabilities.reset,
    secured: traits.module?.href.startsWith(TLS_PREFIX) ?? false,
  });
}

function testSuite(suite: Suite): void {
  testOpening(suite);
  testDialling(suite);
  testSystem(suite);
  testData(suite);
  testEndings(suite);
  testLimits(suite);
  if (suite.secured) testTls(suite);
}
