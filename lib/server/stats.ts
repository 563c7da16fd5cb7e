/**
 * What a server counts.
 *
 * @module
 */

import type { AdmissionRefusal } from "./admission.ts";
import type { CloseReason, ConnectionErrorCode } from "../errors.ts";
import type { Happening, HappeningCounts } from "../observer.ts";
import type { GateRefusal } from "./proxy_gate.ts";
import type { Wheel } from "../time/wheel.ts";

/** Why a caller is turned away. */
export type Refusal = AdmissionRefusal | GateRefusal;

/** Callers turned away, by reason. */
export interface RefusalCounts {
  /** There was no place left: `maxConnections`. */
  readonly full: number;
  /** There was none left for this address: `maxConnectionsPerAddress`. */
  readonly perAddress: number;
  /** Callers came too fast: `acceptRate`. */
  readonly rate: number;
  /** They were none of the proxies in `proxyProtocol.trusted`. */
  readonly untrusted: number;
  /** They were, and sent no header, a wrong one, or sent it too late. */
  readonly proxyHeader: number;
}

/** What a server has counted since it started. */
export interface ServerStats {
  /** Connections at this moment. */
  readonly now: number;
  /** Connections that there may be: `maxConnections`, or what the process has descriptors for. */
  readonly maxConnections: number;
  /** Most connections there ever were at a time. */
  readonly peak: number;
  /** Connections admitted. */
  readonly accepted: number;
  /** Callers turned away, for whatever reason. */
  readonly refused: number;
  /** The same, by reason. */
  readonly refusedBy: RefusalCounts;
  /** Connections that have ended, by the code of their close reason. */
  readonly ended: Readonly<Partial<Record<ConnectionErrorCode, number>>>;
  /** How often the listener died and was opened again. */
  readonly reopened: number;
  /** Probes sent. */
  readonly probesSent: number;
  /** Pongs that answered one. */
  readonly probesAnswered: number;
  /** Probes that were due when the peer turned out to have spoken. */
  readonly probesSuppressed: number;
  /** Pings that came too soon. */
  readonly strikes: number;
  /** How often this process was found to have been asleep or blocked. */
  readonly pauses: number;
  /** How late the last wake-up of the heartbeats' timer was, in milliseconds. */
  readonly lag: number;
  /** Bytes that wait to be sent, over all connections. */
  readonly bufferedBytes: number;
  /** The same, and those that wait for the application or for the rest of their message: what `maxBufferedBytes` bounds. */
  readonly heldBytes: number;
}

/** What a server counts as things happen. */
export class Tally {
  peak = 0;
  accepted = 0;
  reopened = 0;
  readonly refusedBy: Record<Refusal, number> = {
    full: 0,
    perAddress: 0,
    rate: 0,
    untrusted: 0,
    proxyHeader: 0,
  };
  readonly happened: HappeningCounts = { probesSent: 0, probesAnswered: 0, probesSuppressed: 0, strikes: 0 };
  readonly #ended: Partial<Record<ConnectionErrorCode, number>> = {};

  /** A caller was let in, and there are `now` connections. */
  admitted(now: number): void {
    this.accepted++;
    if (now > this.peak) this.peak = now;
  }

  /** A connection has ended. */
  ended({ code }: CloseReason, { probesSpared }: Pick<Weight, "probesSpared">): void {
    this.#ended[code] = (this.#ended[code] ?? 0) + 1;
    this.happened.probesSuppressed += probesSpared;
  }

  /** Something was noticed of a connection. */
  noticed(what: Happening): void {
    switch (what) {
      case "probeSent":
        this.happened.probesSent++;
        break;
      case "answered":
        this.happened.probesAnswered++;
        break;
      case "suppressed":
        this.happened.probesSuppressed++;
        break;
      case "strike":
        this.happened.strikes++;
    }
  }

  /** Everything so far, and what `connections` and `wheel` say of this moment. */
  stats(
    connections: ReadonlySet<Weight>,
    maxConnections: number,
    { pauses, lag }: Pick<Wheel, "pauses" | "lag">,
  ): ServerStats {
    const { peak, accepted, reopened, refusedBy } = this;
    let refused = 0, bufferedBytes = 0, heldBytes = 0, { probesSuppressed } = this.happened;
    for (const reason in refusedBy) refused += refusedBy[reason as Refusal];
    for (const connection of connections) {
      bufferedBytes += connection.bufferedAmount;
      heldBytes += connection.heldBytes;
      probesSuppressed += connection.probesSpared;
    }
    return {
      now: connections.size,
      maxConnections,
      peak,
      accepted,
      refused,
      refusedBy: { ...refusedBy },
      ended: { ...this.#ended },
      reopened,
      ...this.happened,
      probesSuppressed,
      pauses,
      lag,
      bufferedBytes,
      heldBytes,
    };
  }
}

/** What is asked of a connection. */
interface Weight {
  readonly bufferedAmount: number;
  readonly heldBytes: number;
  /** Probes that were not needed, and were not {@linkcode Tally.noticed}. */
  readonly probesSpared: number;
}
