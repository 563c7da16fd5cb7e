/**
 * A socket with a protocol and a heartbeat: bytes in and out, the clocks that watch them, and the one verdict at
 * the end.
 *
 * It moves bytes and notices death; what messages mean, how long they wait and what an end looks like to the
 * application is its owner's matter (`live_connection.ts`).
 *
 * @module
 */

import { type ConnectionErrorCode, ProtocolError } from "../errors.ts";
import { codeOf } from "./close_reason.ts";
import type { ConnectionPolicy } from "./policy.ts";
import type { HeartbeatPolicy } from "../liveness/heartbeat_policy.ts";
import { type BreakCode, type LifelineCounts, type LifelineOwner, noCounts } from "./lifeline_owner.ts";
import { TokenBucket } from "../liveness/rate.ts";
import { Watch } from "../liveness/watch.ts";
import { Loan } from "./loan.ts";
import { agreed, termsOf } from "../liveness/agreement.ts";
import { CloseCode, codeFor } from "../protocol/close_codes.ts";
import type {
  DrainNotice,
  Farewell,
  Hello,
  Pieces,
  Protocol,
  SessionOffer,
  Wire,
} from "../protocol/protocol.ts";
import { Greeting, type GreetingOwner } from "./greeting.ts";
import { Intake, type IntakeOwner } from "./intake.ts";
import { LastWord } from "./last_word.ts";
import { Outlet, type OutletOwner } from "./outlet.ts";
import { Vigil, type VigilOwner } from "./vigil.ts";
import { Pulse, type PulseOwner } from "./pulse.ts";
import { ReadGate, type ReadGateOwner } from "./read_gate.ts";
import type { Happening, Observer } from "../observer.ts";
import type { Clock } from "../time/clock.ts";
import type { Wheel } from "../time/wheel.ts";
import type { Socket, SocketHandler } from "../transport/transport.ts";
import { beginReceiving, endReceiving } from "./turn_batch.ts";

/** One connection's bytes, both ways. */
export class Lifeline<In, Out>
  implements
    SocketHandler,
    IntakeOwner<In>,
    PulseOwner,
    OutletOwner,
    GreetingOwner,
    VigilOwner,
    ReadGateOwner {
  readonly socket: Socket;
  readonly watch: Watch;
  readonly counts: LifelineCounts = noCounts();
  readonly pulse: Pulse;
  readonly #protocol: Protocol<In, Out>;
  readonly #wire: Wire<In, Out>;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #owner: LifelineOwner<In>;
  readonly #vigil: Vigil;
  readonly #intake: Intake<In>;
  readonly #outlet: Outlet;
  readonly #keyed: boolean;
  readonly #observer: Observer | undefined;
  readonly #greeting: Greeting | undefined;
  /** What the peer said when it greeted, and when it ended. */
  peerHello: Hello | undefined;
  #farewell: Farewell | undefined;
  /** Instant of the last byte from the peer, without pongs that answer nothing of ours. */
  lastHeardAt: number = NaN;
  readonly #gate: ReadGate;
  /** The owner has no room. */
  #full = false;
  readonly loan: Loan = new Loan();
  /** A chunk is being taken. */
  #receiving = false;
  /** We will send no more. */
  #finished = false;
  /** The peer will send no more. */
  #ended = false;
  /** That, or the end of the socket, is to be told once all has been taken that came before. */
  #endWaits = false;
  #closeWaits = false;
  #over = false;
  #lastWord: LastWord | undefined;

  /** Takes over a socket that nobody has started. Call {@linkcode start} next. */
  constructor(
    socket: Socket,
    policy: ConnectionPolicy<In, Out>,
    owner: LifelineOwner<In>,
  ) {
    const { protocol, role, key, watch, wheel, clock, messageRate, handshakeTimeout, observer } = policy;
    this.socket = socket;
    this.#protocol = protocol;
    this.#wire = protocol.open(role);
    this.#keyed = key !== undefined;
    this.#observer = observer;
    this.#outlet = new Outlet(socket, this);
    this.#wheel = wheel;
    this.#gate = new ReadGate(socket, clock, this);
    this.#clock = clock;
    this.#owner = owner;
    const now = clock.now();
    this.lastHeardAt = now;
    this.watch = new Watch(now, watch, clock.random());
    this.#vigil = new Vigil(this.watch, wheel, this);
    const rate = messageRate && new TokenBucket(now, messageRate);
    this.#intake = new Intake(this.#wire, key, rate, this.counts, clock, this);
    const { heartbeat } = this.watch;
    this.pulse = new Pulse(
      this.#wire,
      protocol.answersPings,
      key,
      watch.minPingGap,
      heartbeat,
      this.counts,
      this,
    );
    if (protocol.greets) {
      const terms = termsOf(heartbeat.policy, watch.minPingGap);
      this.#greeting = new Greeting(this.#wire, role, terms, wheel, now + handshakeTimeout, this);
    }
  }

  /** Starts delivery and the clocks. `session` is what a client that greets wants of one. */
  start(session?: SessionOffer): void {
    if (this.#greeting === undefined) this.#vigil.begin();
    this.socket.start(this);
    this.#greeting?.begin(session);
  }

  /** Answers a client that has greeted. */
  greet(session?: SessionOffer): void {
    this.#greeting!.answer(session);
  }

  /** Bytes taken and not yet with the kernel. */
  get bufferedAmount(): number {
    return this.#outlet.bytes;
  }

  /** The same, those of a message that has begun to arrive, and those that have not been looked at. */
  get heldBytes(): number {
    return this.bufferedAmount + this.#wire.unfinished + this.#gate.bytes;
  }

  get over(): boolean {
    return this.#over;
  }

  get unsent(): number {
    return this.#outlet.unsent;
  }

  /** See {@linkcode Outlet.collecting}. */
  get collecting(): boolean {
    return this.#outlet.collecting;
  }

  /** See {@linkcode Vigil.putOffs}. */
  get putOffs(): number {
    return this.#vigil.putOffs;
  }

  get urgent(): boolean {
    return this.pulse.urgent;
  }

  /** Sends a message of the application. Returns its size. @throws {TypeError | RangeError} If the protocol cannot send it. */
  send(message: Out, more: boolean): number {
    const now = this.#sendingAt;
    if (this.#wire.encodeInto !== undefined && !this.#over && !this.#finished) {
      const size = this.#outlet.put(this.#wire, message, more);
      if (size >= 0) {
        this.#note(now);
        this.watch.heartbeat.sentAt = now;
        this.counts.bytesSent += size;
        this.#outlet.settle();
        return size;
      }
    }
    return this.transmit(this.#wire.encode(message), more, now);
  }

  /** The bytes of a message. @throws {TypeError | RangeError} If the protocol cannot send it. */
  encode(message: Out): Uint8Array | Pieces {
    return this.#wire.encode(message);
  }

  /** Sends a message that is encoded already. Returns its size. For `more` see {@linkcode TurnBatch.write}. */
  transmit(bytes: Uint8Array | Pieces, more: boolean, now: number = this.#sendingAt): number {
    this.#note(now);
    if (this.#over || this.#finished) return 0;
    this.watch.heartbeat.sentAt = now;
    const size = this.#outlet.send(bytes, more);
    this.counts.bytesSent += size;
    return size;
  }

  /** Notes that a message is sent. */
  #note(now: number): void {
    this.watch.messageAt = now;
    this.watch.moved(now);
    this.pulse.served(now);
  }

  /** The instant of what is sent now: that of the chunk it answers, or of what it leaves with, as to look costs much. */
  get #sendingAt(): number {
    if (this.#receiving) return this.lastHeardAt;
    return this.collecting ? this.watch.heartbeat.sentAt : this.#clock.now();
  }

  /** Acknowledges the first `count` messages of the session. */
  acknowledge(count: number): void {
    this.write(this.#wire.ack!(count));
  }

  /** Asks the peer to go elsewhere, where the protocol can. */
  notify(notice: DrainNotice): void {
    if (this.#wire.drain !== undefined) this.write(this.#wire.drain(notice));
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
    const rules = this.peerHello === undefined ? policy : agreed(policy, this.peerHello);
    this.watch.heartbeat.update(this.#clock.now(), rules);
    this.#rearm();
  }

  /** Asks to be told, by {@linkcode LifelineOwner.quiet}, when nothing has moved for a moment, `delay` ms from now. */
  drain(delay = 0): void {
    this.watch.drain(this.#clock.now() + delay);
    this.#rearm();
  }

  /** Sends what waits, the protocol's goodbye and FIN. Receiving goes on. */
  finish(farewell?: Farewell): void {
    if (this.#over || this.#finished) return;
    this.#finished = true;
    this.watch.heartbeat.sentAt = this.#clock.now();
    const goodbye = this.#wire.goodbye?.(farewell);
    this.counts.bytesSent += goodbye?.length ?? 0;
    this.#outlet.finish(goodbye);
    this.#listen();
  }

  /** As {@linkcode finish}, and gives the peer its time to finish too. The owner throws away what still arrives. */
  part(farewell?: Farewell): void {
    this.finish(farewell);
    this.watch.close();
    if (this.bufferedAmount === 0) this.watch.parted(this.#clock.now());
    this.#rearm();
  }

  /** Drops everything, now, with a word of `code` if the peer may hear one. The owner is not told. */
  abort(code: ConnectionErrorCode, text = ""): void {
    if (this.#stop()) this.#leave(code, text);
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

  // What the socket calls.

  data(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    this.counts.bytesReceived += chunk.length;
    if (!this.#gate.behind) return this.#receive(chunk);
    // It was on its way before reading stopped.
    this.#gate.keep(chunk);
    return true;
  }

  /** Takes what has come. Returns whether it keeps it. */
  #receive(chunk: Uint8Array): boolean {
    const now = this.#clock.now();
    const { counts, watch } = this;
    const { heardAt } = watch.heartbeat;
    const { messagesReceived, pongsUnasked } = counts;
    // Any byte is life, so this comes first: what the application sees meanwhile is up to date.
    if (!this.#keyed) watch.heartbeat.heardAt = now;
    this.lastHeardAt = now;
    this.loan.begin(chunk);
    this.#intake.alive = false;
    this.#receiving = true;
    beginReceiving();
    let taken = chunk.length;
    try {
      taken = this.#wire.receive(chunk, this.#intake) ?? taken;
    } catch (error) {
      this.break("protocol-error", error);
    }
    endReceiving();
    this.#receiving = false;
    if (!this.#over) {
      const { unfinished } = this.#wire;
      const news = counts.messagesReceived !== messagesReceived;
      // Heartbeats do not count: a drain would never find a quiet moment between frequent ones.
      if (news || unfinished > 0) watch.moved(now);
      // Only pongs that answer nothing of ours are not: a peer that sends them unasked might send them for ever.
      if (
        !this.#keyed && counts.pongsUnasked !== pongsUnasked && !this.#intake.alive && unfinished === 0
      ) {
        this.lastHeardAt = watch.heartbeat.heardAt = heardAt;
      } else {
        this.#vigil.heard(now);
        this.pulse.heard(now);
        // It is asked again an interval from now, which may be before it would have been given up.
        if (this.pulse.relieved()) this.#rearm();
      }
      if (watch.frame(now, unfinished, news)) this.#rearm();
      if (taken < chunk.length) {
        this.loan.keep();
        this.#gate.keep(chunk.subarray(taken));
      }
      this.#gate.received(taken, this.#intake.rest() || taken < chunk.length);
    }
    return this.loan.end();
  }

  written(): void {
    if (this.#over) return;
    if (this.bufferedAmount === 0 && !this.#finished && !this.pulse.waiting) this.watch.stall.progress(0, 0);
    else this.#progressed(this.#clock.now());
    this.#owner.written();
  }

  /** Some of what waited is with the kernel, and there is more to do. */
  #progressed(now: number): void {
    const { watch } = this;
    watch.stall.progress(now, this.socket.bufferedAmount);
    if (this.unsent === 0 && this.pulse.waiting) {
      this.pulse.emptied(now);
      this.#rearm();
    }
    if (this.#outlet.queued) {
      watch.heartbeat.sentAt = now;
      this.#outlet.pump();
    }
    if (this.bufferedAmount > 0) watch.moved(now);
    else if (this.#finished) {
      watch.parted(now);
      this.#rearm();
    }
  }

  end(): void {
    // Both have finished, or this socket only waited for the peer to hear why.
    if (this.#over) return this.#lastWord?.heard();
    if (this.#gate.behind) return void (this.#endWaits = true);
    try {
      this.#wire.end(this.#intake);
    } catch (error) {
      return this.break("protocol-error", error);
    }
    if (this.#over) return;
    // Where an end is announced, one that is not was made by somebody on the way.
    if (this.#greeting !== undefined && this.#farewell === undefined) return this.break("reset");
    this.#ended = true;
    this.#listen();
    this.watch.frame(0, 0, true);
    this.#owner.ended();
  }

  close(error?: Error): void {
    if (error === undefined && !this.#over && this.#gate.behind) return void (this.#closeWaits = true);
    this.#lastWord?.over();
    if (!this.#stop()) return;
    this.#outlet.clear();
    if (error !== undefined) this.watch.broke();
    this.#owner.broke(codeOf(error), error);
  }

  // What the gate tells.

  goOn(chunk: Uint8Array): void {
    this.#receive(chunk);
  }

  caughtUp(): void {
    if (this.#endWaits) {
      this.#endWaits = false;
      this.end();
    }
    if (this.#closeWaits) this.close();
  }

  // What the intake tells.

  arrived(message: In, size: number): void {
    this.watch.messageAt = this.lastHeardAt;
    this.#owner.message(message, size);
  }

  pinged(payload: Uint8Array | undefined): void {
    if (!this.pulse.pinged(this.lastHeardAt, payload)) this.break("too-many-pings");
  }

  answered(now: number, asked: boolean): void {
    if (this.#over || !this.pulse.ponged(now, this.#wheel.awayAt(now), asked)) return;
    this.#intake.alive = true;
    if (this.#keyed) {
      this.watch.heartbeat.heardAt = now;
      if (this.pulse.relieved()) this.#rearm();
    }
    if (this.watch.answered(now)) this.#rearm();
  }

  helloed(hello: Hello): void {
    this.#greeting!.heard(hello);
  }

  acked(count: number): void {
    this.#owner.acked(count);
  }

  draining(notice: DrainNotice): void {
    this.#owner.draining(notice);
  }

  parting(farewell: Farewell): void {
    this.#farewell = farewell;
    this.#owner.farewell(farewell);
  }

  // What the greeting calls.

  asked(hello: Hello): void {
    this.#owner.asked(hello);
  }

  greeted(hello: Hello): void {
    const now = this.#clock.now(), { heartbeat } = this.watch;
    this.peerHello = hello;
    heartbeat.heardAt = now;
    heartbeat.update(now, agreed(heartbeat.policy, hello));
    this.watch.floor = hello.minPingGap;
    this.#vigil.begin();
    this.#owner.greeted(hello);
    // Whether the peer has the key is better known now than later.
    if (this.#keyed && !this.#over) this.pulse.ask(now);
  }

  late(): void {
    this.break("handshake-timeout");
  }

  // What the vigil tells.

  get doubtful(): boolean {
    return this.#intake.doubtful;
  }

  get observed(): boolean {
    // Not every byte is life where heartbeats are keyed.
    return this.#keyed || this.#observer?.suppressed !== undefined;
  }

  beat(verdict: "suspect" | "probe" | "beat", now: number): void {
    this.pulse.beat(verdict, now);
  }

  prefetch(): number {
    return Number(this.observed) + Number(this.pulse.waiting) + this.unsent + this.#wire.unfinished +
      this.counts.probesSent + this.watch.heartbeat.prefetch();
  }

  aged(): void {
    this.#owner.aged();
  }

  quiet(): void {
    if (this.#gate.behind) this.drain();
    else this.#owner.quiet();
  }

  // What the pulse and the outlet call.

  noticed(what: Happening, fact?: number): void {
    this.#owner.noticed(what, fact);
  }

  write(bytes: Uint8Array, now: number = this.#clock.now()): void {
    if (this.#over || this.#finished || bytes.length === 0) return;
    this.watch.heartbeat.sentAt = now;
    this.counts.bytesSent += bytes.length;
    this.#outlet.write(bytes);
  }

  writeOut(bytes: Uint8Array, now: number): void {
    if (this.#over || this.#finished) return;
    this.watch.heartbeat.sentAt = now;
    this.counts.bytesSent += bytes.length;
    this.#outlet.writeOut(bytes);
  }

  waiting(): void {
    const { stall, heartbeat: { sentAt } } = this.watch;
    // Whatever has gone to the socket just now was noted as sent before.
    if (stall.waiting(sentAt)) this.#vigil.rearmBy(sentAt + stall.limit);
  }

  sent(): void {
    // The socket says no more of bytes that it has not kept.
    this.#owner.written();
    if (!this.pulse.waiting) return;
    this.pulse.emptied(this.#clock.now());
    this.#rearm();
  }

  #rearm(): void {
    if (!this.#over) this.#vigil.rearm();
  }

  /** The peer is given up, for `code`. */
  break(code: BreakCode, cause?: unknown): void {
    if (!this.#stop()) return;
    if (code === "heartbeat-timeout") this.watch.broke();
    this.#leave(code, cause instanceof ProtocolError ? cause.message : "");
    this.#owner.broke(code, cause);
  }

  /** Lets go of the socket, and says why where the protocol can. */
  #leave(code: ConnectionErrorCode, text: string): void {
    // Who has said why is not told the same again.
    const answer = this.#farewell === undefined ? codeFor(code) : CloseCode.normal;
    const number = this.#finished ? undefined : answer;
    const goodbye = () => {
      if (number === undefined) return undefined;
      // A hello of this turn may be in it, without which nobody knows what a goodbye is.
      this.#outlet.flush();
      return this.#wire.goodbye?.({ code: number, text, retryAfter: 0 });
    };
    this.#lastWord = LastWord.say(this.socket, goodbye, this.#clock, this.#wheel);
    this.#outlet.clear();
  }

  /** Ends the clocks. Returns whether they were running. */
  #stop(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#gate.shut();
    this.#greeting?.stop();
    this.#vigil.end();
    return true;
  }
}
