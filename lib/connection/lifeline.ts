/**
 * A socket with a protocol and a heartbeat: bytes in and out, the clocks that watch them, and the one verdict at
 * the end.
 *
 * It moves bytes and notices death; what messages mean, how long they wait and what an end looks like to the
 * application is its owner's matter (`live_connection.ts`).
 *
 * @module
 */

import { codeOf } from "./close_reason.ts";
import type { ConnectionPolicy } from "./policy.ts";
import type { HeartbeatPolicy } from "../liveness/heartbeat_policy.ts";
import { type BreakCode, type LifelineCounts, type LifelineOwner, noCounts } from "./lifeline_owner.ts";
import { TokenBucket } from "../liveness/rate.ts";
import { Watch } from "../liveness/watch.ts";
import { Loan } from "./loan.ts";
import type { Protocol, Wire, WireEvents } from "../protocol/protocol.ts";
import { Pulse, type PulseOwner } from "./pulse.ts";
import { ReadGate } from "./read_gate.ts";
import type { Happening } from "../observer.ts";
import type { Clock } from "../time/clock.ts";
import type { Pause } from "../time/pause.ts";
import { ASK_AGAIN, type Due, type Wheel } from "../time/wheel.ts";
import type { Socket, SocketHandler } from "../transport/transport.ts";
import { type BatchOwner, beginReceiving, endReceiving, TurnBatch } from "./turn_batch.ts";

/** One connection's bytes, both ways. */
export class Lifeline<In, Out> implements SocketHandler, WireEvents<In>, PulseOwner, BatchOwner, Due {
  readonly socket: Socket;
  readonly watch: Watch;
  readonly counts: LifelineCounts = noCounts();
  readonly pulse: Pulse;
  readonly #protocol: Protocol<In, Out>;
  readonly #wire: Wire<In, Out>;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #owner: LifelineOwner<In>;
  #entry = -1;
  /** Instant at which a probe is due if the peer says nothing. */
  #askAt = Infinity;
  /** The last pause of ours that was told of. */
  #pause: Pause | undefined;
  readonly #rate: TokenBucket | undefined;
  readonly #batch: TurnBatch = new TurnBatch(this);
  readonly #gate: ReadGate;
  /** The owner has no room. */
  #full = false;
  readonly loan: Loan = new Loan();
  /** Whether the chunk being received held anything that proves the peer alive. */
  #alive = false;
  /** We will send no more. */
  #finished = false;
  /** The peer will send no more. */
  #ended = false;
  #over = false;

  /** Takes over a socket that nobody has started. Call {@linkcode start} next. */
  constructor(
    socket: Socket,
    { protocol, watch, wheel, clock, messageRate }: ConnectionPolicy<In, Out>,
    owner: LifelineOwner<In>,
  ) {
    this.socket = socket;
    this.#protocol = protocol;
    this.#wire = protocol.open();
    this.#wheel = wheel;
    this.#gate = new ReadGate(socket, clock);
    this.#clock = clock;
    this.#owner = owner;
    const now = clock.now();
    this.watch = new Watch(now, watch, clock.random());
    this.#pause = wheel.pause;
    if (messageRate !== undefined) this.#rate = new TokenBucket(now, messageRate);
    const { heartbeat } = this.watch;
    this.pulse = new Pulse(this.#wire, protocol.answersPings, watch.minPingGap, heartbeat, this.counts, this);
  }

  /** Starts delivery and the clocks. */
  start(): void {
    this.#entry = this.#wheel.add(this, this.watch.deadline(this.#wheel.pause));
    this.socket.start(this);
  }

  /** Bytes taken and not yet with the kernel. */
  get bufferedAmount(): number {
    return this.#batch.bytes + this.socket.bufferedAmount;
  }

  /** Sends a message of the application. @throws {TypeError | RangeError} If the protocol cannot send it. */
  send(message: Out): void {
    const bytes = this.#wire.encode(message);
    const now = this.#clock.now();
    this.watch.messageAt = now;
    this.watch.moved(now);
    this.pulse.served(now);
    this.write(bytes, now);
  }

  /** Asks the peer for a sign of life at once. See {@linkcode Pulse.probe}. */
  probe(): Promise<number> {
    const answer = this.pulse.probe(this.#clock.now());
    this.#rearm();
    return answer;
  }

  /** Stops reading while the owner has no room, and goes on when it has. */
  hold(full: boolean): void {
    if (!this.#gate.hold(full)) return;
    // Silence that we cause ourselves is not the peer's.
    this.#full = full;
    this.watch.hold(this.#clock.now(), full);
    this.#listen();
  }

  /** Puts other heartbeat rules in force. */
  update(policy: HeartbeatPolicy): void {
    this.watch.heartbeat.update(this.#clock.now(), policy);
    this.#rearm();
  }

  /** Asks to be told, by {@linkcode LifelineOwner.quiet}, when nothing has moved for a moment, `delay` ms from now. */
  drain(delay = 0): void {
    this.watch.drain(this.#clock.now() + delay);
    this.#rearm();
  }

  /** Sends what waits, the protocol's goodbye and FIN. Receiving goes on. */
  finish(): void {
    if (this.#over || this.#finished) return;
    const now = this.#clock.now();
    const goodbye = this.#wire.goodbye?.();
    if (goodbye !== undefined) this.write(goodbye, now);
    this.#finished = true;
    this.#batch.flush();
    this.socket.shutdown();
    this.#listen();
  }

  /** As {@linkcode finish}, and gives the peer its time to finish too. The owner throws away what still arrives. */
  part(): void {
    this.finish();
    this.watch.close();
    if (this.bufferedAmount === 0) this.watch.parted(this.#clock.now());
    this.#rearm();
  }

  /** Drops everything, now. The owner is not told. */
  abort(): void {
    if (this.#stop()) this.socket.abort();
  }

  /**
   * Judges the peer's silence, or not: we do not read, the peer has finished, or it cannot be asked any more because
   * we have.
   */
  #listen(): void {
    const mute = this.#full || this.#ended || (this.#finished && this.#protocol.answersPings);
    this.watch.heartbeat.listen(this.#clock.now(), !mute);
    this.pulse.relieved();
    this.#rearm();
  }

  // What the wheel calls.

  due(now: number, sure: boolean): number {
    this.#notePause();
    // Woken for a probe that is not due any more: the peer has spoken.
    if (this.#askAt <= now && this.watch.heartbeat.askAt > now) this.noticed("suppressed");
    while (!this.#over) {
      const verdict = this.watch.check(now, this.#wheel.pause);
      switch (verdict) {
        case "wait":
          this.#askAt = this.watch.heartbeat.askAt;
          return this.watch.deadline(this.#wheel.pause);
        case "suspect":
        case "probe":
        case "beat":
          this.pulse.beat(verdict, now);
          break;
        case "aged":
          this.#owner.aged();
          break;
        case "quiet":
          this.#owner.quiet();
          break;
        default:
          // Bytes that prove the peer alive may wait in the kernel: no verdict before they were read.
          if (!sure) return ASK_AGAIN;
          this.#break(verdict);
      }
    }
    return Infinity;
  }

  // What the socket calls.

  data(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    const now = this.#clock.now();
    const { counts, watch } = this;
    const { heardAt } = watch.heartbeat;
    const { messagesReceived, pongsUnasked } = counts;
    counts.bytesReceived += chunk.length;
    // Any byte is life, so this comes first: what the application sees meanwhile is up to date.
    watch.heartbeat.heardAt = now;
    this.loan.begin(chunk);
    this.#alive = false;
    beginReceiving();
    try {
      this.#wire.receive(chunk, this);
    } catch (error) {
      this.#break("protocol-error", error);
    }
    endReceiving();
    if (!this.#over) {
      const { unfinished } = this.#wire;
      const news = counts.messagesReceived !== messagesReceived;
      // Heartbeats do not count: a drain would never find a quiet moment between frequent ones.
      if (news || unfinished > 0) watch.moved(now);
      // Only pongs that answer nothing of ours are not: a peer that sends them unasked might send them for ever.
      if (counts.pongsUnasked !== pongsUnasked && !this.#alive && unfinished === 0) {
        watch.heartbeat.heardAt = heardAt;
      } else {
        this.pulse.heard(now);
        // It is asked again an interval from now, which may be before it would have been given up.
        if (this.pulse.relieved()) this.#rearm();
      }
      if (watch.frame(now, unfinished, news)) this.#rearm();
      this.#gate.received(chunk.length);
    }
    return this.loan.end();
  }

  written(): void {
    if (this.#over) return;
    const now = this.#clock.now(), left = this.socket.bufferedAmount;
    this.watch.stall.progress(now, left);
    if (left > 0) this.watch.moved(now);
    if (left === 0 && (this.#finished || this.pulse.waiting)) {
      this.watch.parted(now);
      this.pulse.emptied(now);
      this.#rearm();
    }
    this.#owner.written();
  }

  end(): void {
    if (this.#over) return;
    try {
      this.#wire.end(this);
    } catch (error) {
      return this.#break("protocol-error", error);
    }
    if (this.#over) return;
    this.#ended = true;
    this.#listen();
    this.watch.frame(0, 0, true);
    this.#owner.ended();
  }

  close(error?: Error): void {
    if (!this.#stop()) return;
    if (error !== undefined) this.watch.broke();
    this.#owner.broke(codeOf(error), error);
  }

  // What the protocol calls.

  message(message: In, size: number): void {
    if (this.#over) return;
    this.#alive = true;
    this.counts.messagesReceived++;
    if (this.#rate?.take(this.watch.heartbeat.heardAt) === false) return this.#break("too-many-messages");
    this.watch.messageAt = this.watch.heartbeat.heardAt;
    this.#owner.message(message, size);
  }

  ping(payload?: Uint8Array): void {
    if (this.#over) return;
    this.#alive = true;
    if (!this.pulse.pinged(this.watch.heartbeat.heardAt, payload)) this.#break("too-many-pings");
  }

  pong(_payload?: Uint8Array): void {
    const now = this.watch.heartbeat.heardAt;
    if (!this.pulse.ponged(now, this.#wheel.awayAt(now))) return;
    this.#alive = true;
    if (this.watch.answered(now)) this.#rearm();
  }

  // What the pulse and the batch call.

  noticed(what: Happening, fact?: number): void {
    this.#owner.noticed(what, fact);
  }

  write(bytes: Uint8Array, now: number): void {
    if (this.#over || this.#finished || bytes.length === 0) return;
    this.watch.heartbeat.sentAt = now;
    this.counts.bytesSent += bytes.length;
    this.#batch.write(bytes);
  }

  flush(): void {
    this.#batch.flush();
  }

  hand(bytes: Uint8Array): void {
    if (this.#over) return;
    if (!this.socket.write(bytes)) {
      this.watch.stall.waiting(this.#clock.now());
      this.#wheel.hasten(this.#entry, this.watch.stall.deadline(this.#wheel.pause));
    } else if (this.pulse.waiting) {
      // The socket says no more of bytes that it has not kept.
      this.pulse.emptied(this.#clock.now());
      this.#rearm();
    }
  }

  /** Tells of a pause of ours, once. */
  #notePause(): void {
    const { pause } = this.#wheel;
    if (pause === this.#pause) return;
    this.#pause = pause;
    this.noticed("paused", pause!.length);
  }

  #rearm(): void {
    if (!this.#over && this.#entry >= 0) {
      this.#wheel.hasten(this.#entry, this.watch.deadline(this.#wheel.pause));
    }
  }

  #break(code: BreakCode, cause?: unknown): void {
    if (!this.#stop()) return;
    if (code === "heartbeat-timeout") this.watch.broke();
    this.socket.abort();
    this.#owner.broke(code, cause);
  }

  /** Ends the clocks. Returns whether they were running. */
  #stop(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#gate.shut();
    this.#batch.clear();
    if (this.#entry >= 0) this.#wheel.remove(this.#entry);
    return true;
  }
}
