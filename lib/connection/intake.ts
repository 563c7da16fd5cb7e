/**
 * What a protocol makes of the bytes that came: messages, signs of life, and what the ends tell each other.
 *
 * @module
 */

import type { HeartbeatKey } from "./heartbeat_key.ts";
import type { LifelineCounts } from "./lifeline_owner.ts";
import type { TokenBucket } from "../liveness/rate.ts";
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

/** Stops a wire amid a chunk of which nobody wants the rest: half a million empty lines take their time to decode. */
const ENOUGH = /* @__PURE__ */ new Error("The connection has ended");

/** The receiving side of one connection. */
export class Intake<In> implements WireEvents<In> {
  readonly #wire: Wire<In, never>;
  readonly #key: HeartbeatKey | undefined;
  readonly #rate: TokenBucket | undefined;
  readonly #counts: LifelineCounts;
  readonly #owner: IntakeOwner<In>;
  /** Proofs that are being checked. */
  #proving = 0;
  /** Whether the chunk being received held anything that proves the peer alive. */
  alive = false;

  constructor(
    wire: Wire<In, never>,
    key: HeartbeatKey | undefined,
    rate: TokenBucket | undefined,
    counts: LifelineCounts,
    owner: IntakeOwner<In>,
  ) {
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

  message(message: In, size: number): void {
    const owner = this.#owner;
    if (owner.over) throw ENOUGH;
    this.alive = true;
    this.#counts.messagesReceived++;
    if (this.#rate?.take(owner.lastHeardAt) === false) owner.break("too-many-messages");
    else owner.arrived(message, size);
  }

  ping(payload?: Uint8Array): void {
    if (this.#owner.over) throw ENOUGH;
    this.alive = true;
    this.#owner.pinged(payload);
  }

  pong(payload?: Uint8Array, asked = true, proof?: Uint8Array): void {
    const owner = this.#owner, now = owner.lastHeardAt;
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
    if (!this.#owner.over) this.#owner.acked(count);
  }

  draining(notice: DrainNotice): void {
    if (!this.#owner.over) this.#owner.draining(notice);
  }

  farewell(farewell: Farewell): void {
    if (!this.#owner.over) this.#owner.parting(farewell);
  }
}
