/**
 * The pings and pongs of one connection: asked when due, answered when asked, and neither piled up behind a peer that
 * does not read.
 *
 * @module
 */

import type { LifelineCounts } from "./lifeline_owner.ts";
import { PingGuard } from "../liveness/flood.ts";
import type { Heartbeat } from "../liveness/heartbeat.ts";
import type { Happening } from "../observer.ts";
import type { Wire } from "../protocol/protocol.ts";
import type { HeartbeatKey } from "./heartbeat_key.ts";

/** Answers that may wait for a peer which does not read them, as in `ws`. A pong answers all earlier pings anyway. */
const MAX_ANSWERS = 60;

/** How long data may still wait to be read by the peer after it was sent, in milliseconds. */
const IN_FLIGHT = 200;

/** What a {@linkcode Pulse} needs from the connection it belongs to. */
export interface PulseOwner {
  /** Bytes that stand before a ping, and are not yet with the kernel. */
  readonly unsent: number;
  /** Sends bytes of the protocol itself, with the rest of this turn. */
  write(bytes: Uint8Array, now?: number): void;
  /** As {@linkcode write}, but now. */
  writeOut(bytes: Uint8Array, now: number): void;
  /** Something was noticed. */
  noticed(what: Happening): void;
}

/** A question that somebody waits for the answer of. */
interface Question {
  readonly askedAt: number;
  readonly promise: Promise<number>;
  resolve(rtt: number): void;
  reject(reason: unknown): void;
}

/** Asks and answers. */
export class Pulse {
  readonly #wire: Wire<never, never>;
  readonly #answersPings: boolean;
  readonly #key: HeartbeatKey | undefined;
  /** Settles when the proofs of earlier answers have been made: answers must leave in the order of their pings. */
  #proofs: Promise<void> | undefined;
  readonly #heartbeat: Heartbeat;
  readonly #counts: LifelineCounts;
  readonly #owner: PulseOwner;
  readonly #guard: PingGuard | undefined;
  /** A probe or beat is due, and waits until what stands before it has left. */
  #owed = false;
  /** Answers that were written since the buffer was last empty. */
  #answers = 0;
  /** Instant at which data of the application was last sent. */
  #servedAt = -Infinity;
  #question: Question | undefined;
  /** It was told that the peer is in question. */
  #suspect = false;

  /** @param minPingGap Least time between two pings of the peer, in milliseconds; 0 for no guard. */
  constructor(
    wire: Wire<never, never>,
    answersPings: boolean,
    key: HeartbeatKey | undefined,
    minPingGap: number,
    heartbeat: Heartbeat,
    counts: LifelineCounts,
    owner: PulseOwner,
  ) {
    this.#wire = wire;
    this.#answersPings = answersPings;
    this.#key = key;
    this.#heartbeat = heartbeat;
    this.#counts = counts;
    this.#owner = owner;
    if (answersPings && minPingGap > 0) this.#guard = new PingGuard(minPingGap, heartbeat.heardAt);
  }

  /** Whether something waits for the buffer to be empty. */
  get waiting(): boolean {
    return this.#owed || this.#answers > 0 || this.#heartbeat.suspect;
  }

  /** Whether a ping is due, or on its way to the kernel: nothing that can wait should be put before it. */
  get urgent(): boolean {
    return this.#owed || this.#heartbeat.unflushed;
  }

  /** Does what the heartbeat said, unless something waits to be sent already: then when that has left. */
  beat(verdict: "suspect" | "probe" | "beat", now: number): void {
    // A peer in question that is asked once more stays in question.
    if (verdict !== "beat" && !this.#suspect) {
      this.#suspect = true;
      this.#owner.noticed("suspect");
    }
    if (verdict === "probe") {
      this.#counts.probesSent++;
      this.#owner.noticed("probeSent");
    }
    if (this.#owner.unsent > 0) {
      this.#owed = true;
      return;
    }
    if (verdict !== "suspect") this.#ping(now);
    if (this.#owner.unsent === 0) this.#heartbeat.flushed(now);
  }

  /**
   * Asks at once, whatever was heard when. Those who ask while an answer is still out share it.
   *
   * @returns The round trip in milliseconds. Rejected with the reason if the connection ends first.
   */
  probe(now: number): Promise<number> {
    if (this.#wire.ping === undefined) {
      return Promise.reject(
        new TypeError("Cannot probe as the protocol must have a ping: this one has none"),
      );
    }
    if (this.#question === undefined) {
      let resolve!: (rtt: number) => void, reject!: (reason: unknown) => void;
      const promise = new Promise<number>((yes, no) => [resolve, reject] = [yes, no]);
      promise.catch(() => {});
      this.#question = { askedAt: now, promise, resolve, reject };
      this.ask(now);
    }
    return this.#question.promise;
  }

  /** Asks at once. */
  ask(now: number): void {
    this.#heartbeat.ask(now);
    this.beat("probe", now);
  }

  /** The buffer is empty: what was owed goes now. */
  emptied(now: number): void {
    this.#answers = 0;
    if (this.#owed) {
      this.#owed = false;
      this.#ping(now);
    }
    if (this.#owner.unsent === 0) this.#heartbeat.flushed(now);
  }

  /** Tells of a peer that was in question and is no more. Returns whether it was. */
  relieved(): boolean {
    if (!this.#suspect || this.#heartbeat.suspect) return false;
    this.#suspect = false;
    this.#owner.noticed("healthy");
    return true;
  }

  /** Bytes came. Where nobody answers pings, any of them is the answer, unless the question was asked by who took them. */
  heard(now: number): void {
    if (this.#question !== undefined && !this.#answersPings && !this.#heartbeat.suspect) this.#answered(now);
  }

  /** The peer asks. Returns `false` if it asks too often. */
  pinged(now: number, payload: Uint8Array | undefined): boolean {
    this.#counts.pingsReceived++;
    const { pong } = this.#wire;
    if (pong === undefined || this.#inBand(now)) return true;
    const verdict = this.#guard?.pinged(now) ?? "fine";
    if (verdict !== "fine") this.#owner.noticed("strike");
    if (verdict === "too-many") return false;
    if (this.#owner.unsent === 0) this.#answers = 0;
    if (this.#answers < MAX_ANSWERS) {
      this.#answers++;
      if (this.#key === undefined) this.#owner.write(pong.call(this.#wire, payload), now);
      else this.#prove(this.#key, payload!);
    }
    return true;
  }

  /** Answers with a proof, after the answers before. */
  #prove(key: HeartbeatKey, payload: Uint8Array): void {
    const proof = key.sign(this.#wire.challenge!(payload, "us"));
    const before = this.#proofs ?? Promise.resolve();
    // What cannot be proven is not answered: the peer will give us up for it, which is what it wants to.
    this.#proofs = before.then(async () => this.#owner.write(this.#wire.pong!(payload, await proof))).catch(
      () => {},
    );
  }

  /** The peer answers. Returns `false` if it was not asked, so that this is no sign of life. */
  ponged(now: number, pausedAt: number | undefined, asked: boolean): boolean {
    this.#counts.pongsReceived++;
    if (!asked || !this.#heartbeat.roundTrip.answered(now, pausedAt)) {
      this.#counts.pongsUnasked++;
      return false;
    }
    this.#owner.noticed("answered");
    if (this.#question !== undefined) this.#answered(now);
    return true;
  }

  /** Data of the application was sent, so a peer may ask again. */
  served(now: number): void {
    this.#servedAt = now;
    this.#guard?.served();
  }

  /**
   * Whether an answer might be taken for data. Where pings need no answer, ours is a token in the stream of bytes: glued to
   * data it would become data. Then data on its way has to do as the sign of life.
   */
  #inBand(now: number): boolean {
    return !this.#answersPings && (this.#owner.unsent > 0 || now < this.#servedAt + IN_FLIGHT);
  }

  /** The connection is over: nobody will answer. */
  end(reason: unknown): void {
    this.#question?.reject(reason);
    this.#question = undefined;
  }

  #ping(now: number): void {
    const ping = this.#wire.ping?.();
    if (ping === undefined) return;
    this.#counts.beatsSent++;
    // Where pings have no answer of their own there is nothing to measure.
    if (this.#answersPings) this.#heartbeat.roundTrip.asked(now);
    this.#owner.writeOut(ping, now);
  }

  #answered(now: number): void {
    const { askedAt, resolve } = this.#question!;
    this.#question = undefined;
    resolve(now - askedAt);
  }
}
