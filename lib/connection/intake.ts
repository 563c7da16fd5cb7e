/**
 * What a protocol makes of the bytes that came: messages, signs of life, and what the ends tell each other.
 *
 * @module
 */

import type { HeartbeatKey } from "./heartbeat_key.ts";
import type { LifelineCounts } from "./lifeline_owner.ts";
import type { TokenBucket } from "../liveness/rate.ts";
import type { Clock } from "../time/clock.ts";
import type { DrainNotice, Farewell, Hello, Wire, WireEvents } from "../protocol/protocol.ts";

/** What an {@linkcode Intake} tells. */
export interface IntakeOwner<In> {
  /** Nobody wants to know any more. */
  readonly over: boolean;
  /** Instant of the last bytes. */
  readonly lastHeardAt: number;
  /** A message arrived. It may be borrowed. */
  arrived(message: In, size: number): void;
  /** The peer asks whether we live. */
  pinged(payload: Uint8Array | undefined): void;
  /** The peer says that it lives, at `now`; `asked` is false if that answers nothing of ours. */
  answered(now: number, asked: boolean): void;
  /** The peer greets. */
  helloed(hello: Hello): void;
  acked(count: number): void;
  draining(notice: DrainNotice): void;
  parting(farewell: Farewell): void;
  /** The peer broke a rule. */
  break(code: "too-many-messages" | "heartbeat-forged", cause?: unknown): void;
}

/**
 * Messages and heartbeats that one connection may bring before the others get a turn of the event loop: some tenths of a
 * millisecond of decoding, and mostly less than a few milliseconds of an application's work.
 */
const MOST = 1_024;
/** Where an application takes longer for each, so many milliseconds. */
const MOST_TIME = 5;
/** How many are handled between two looks at the clock. */
const STRIDE = 16;

/** Stops a wire amid a chunk of which nobody wants the rest: half a million empty lines take their time to decode. */
const ENOUGH = /* @__PURE__ */ new Error("The connection has ended");

/** The receiving side of one connection. */
export class Intake<In> implements WireEvents<In> {
  readonly #clock: Clock;
  readonly #wire: Wire<In, never>;
  readonly #key: HeartbeatKey | undefined;
  readonly #rate: TokenBucket | undefined;
  readonly #counts: LifelineCounts;
  readonly #owner: IntakeOwner<In>;
  /** Proofs that are being checked. */
  #proving = 0;
  /** Whether the chunk being received held anything that proves the peer alive. */
  alive = false;
  /** What may still come before the next look at the clock, and what after that. */
  #stride = STRIDE;
  #left = MOST - STRIDE;
  /** It is the others' turn. */
  #tired = false;

  constructor(
    wire: Wire<In, never>,
    key: HeartbeatKey | undefined,
    rate: TokenBucket | undefined,
    counts: LifelineCounts,
    clock: Clock,
    owner: IntakeOwner<In>,
  ) {
    this.#clock = clock;
    this.#wire = wire;
    this.#key = key;
    this.#rate = rate;
    this.#counts = counts;
    this.#owner = owner;
  }

  /** Whether an answer is being looked at that may prove the peer alive. */
  get doubtful(): boolean {
    return this.#proving > 0;
  }

  /** Whether so much has come that the others should have a turn. */
  get enough(): boolean {
    return this.#stride <= 0 && this.#look();
  }

  /** As {@linkcode enough}, once for each time: from now on the count begins anew. */
  rest(): boolean {
    if (!this.enough) return false;
    this.#tired = false;
    this.#stride = STRIDE;
    this.#left = MOST - STRIDE;
    return true;
  }

  #look(): boolean {
    if (this.#tired) return true;
    // A wire that does not ask may have brought more.
    this.#left += this.#stride;
    const late = this.#clock.now() - this.#owner.lastHeardAt >= MOST_TIME;
    this.#tired = late || this.#left <= 0;
    if (this.#tired) return true;
    this.#left -= STRIDE;
    this.#stride = STRIDE;
    return false;
  }

  message(message: In, size: number): void {
    const owner = this.#owner;
    this.#stride--;
    if (owner.over) throw ENOUGH;
    this.alive = true;
    this.#counts.messagesReceived++;
    if (this.#rate?.take(owner.lastHeardAt) === false) owner.break("too-many-messages");
    else owner.arrived(message, size);
  }

  ping(payload?: Uint8Array): void {
    this.#stride--;
    if (this.#owner.over) throw ENOUGH;
    this.alive = true;
    this.#owner.pinged(payload);
  }

  pong(payload?: Uint8Array, asked = true, proof?: Uint8Array): void {
    const owner = this.#owner, now = owner.lastHeardAt;
    this.#stride--;
    if (owner.over) throw ENOUGH;
    if (this.#key === undefined) return owner.answered(now, asked);
    if (!asked) return owner.break("heartbeat-forged");
    this.#proving++;
    this.#key.verify(proof!, this.#wire.challenge!(payload!, "them")).then((proven) => {
      this.#proving--;
      if (proven) owner.answered(now, true);
      else owner.break("heartbeat-forged");
    }, (error) => owner.break("heartbeat-forged", error));
  }

  hello(hello: Hello): void {
    if (!this.#owner.over) this.#owner.helloed(hello);
  }

  acked(count: number): void {
    this.#stride--;
    if (!this.#owner.over) this.#owner.acked(count);
  }

  draining(notice: DrainNotice): void {
    this.#stride--;
    if (!this.#owner.over) this.#owner.draining(notice);
  }

  farewell(farewell: Farewell): void {
    if (!this.#owner.over) this.#owner.parting(farewell);
  }
}
