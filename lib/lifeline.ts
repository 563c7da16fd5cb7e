/**
 * A socket with a protocol and a heartbeat: bytes in and out, the clocks that watch them, and the one verdict at
 * the end.
 *
 * It moves bytes and notices death; what messages mean, how long they wait and what an end looks like to the
 * application is its owner's matter (`live_connection.ts`).
 *
 * @module
 */

import type { HeartbeatPolicy } from "./liveness/heartbeat.ts";
import { type FatalVerdict, Watch, type WatchPolicy } from "./liveness/watch.ts";
import type { Protocol, Wire, WireEvents } from "./protocol/protocol.ts";
import type { Clock } from "./time/clock.ts";
import { ASK_AGAIN, type Due, type Wheel } from "./time/wheel.ts";
import type { Socket, SocketHandler } from "./transport/transport.ts";

/** Why a lifeline broke. */
export type BreakCode = FatalVerdict | "protocol-error" | "reset" | "network-failed" | "closed";

/** What a {@linkcode Lifeline} tells. */
export interface LifelineOwner<In> {
  /** A message arrived. It may be borrowed: {@linkcode Lifeline.own} before keeping it. */
  message(message: In, size: number): void;
  /** The peer will send no more. */
  ended(): void;
  /** Some of what waited was sent. */
  written(): void;
  /** A drain found nothing under way: see {@linkcode Lifeline.drain}. */
  quiet(): void;
  /** It is over. Called at most once, and last. */
  broke(code: BreakCode, cause?: unknown): void;
}

/** What a lifeline counts. */
export interface LifelineCounts {
  bytesReceived: number;
  bytesSent: number;
  messagesReceived: number;
  probesSent: number;
  beatsSent: number;
  pingsReceived: number;
  pongsReceived: number;
  pongsUnasked: number;
}

/**
 * Bytes that one connection may deliver before the others get a turn of the event loop. Large enough to cost nothing
 * (4096 messages of 64 bytes), small enough to be handled in well under a millisecond.
 */
const BURST = 256 * 1024;

/** Writes up to this size are collected for the rest of the turn; larger ones are worth a system call of their own. */
const SMALL = 16 * 1024;

/** From this size on a chunk is kept rather than copied. */
const KEEP_FROM = 1024;

/** One connection's bytes, both ways. */
export class Lifeline<In, Out> implements SocketHandler, WireEvents<In>, Due {
  readonly socket: Socket;
  readonly watch: Watch;
  readonly counts: LifelineCounts = {
    bytesReceived: 0,
    bytesSent: 0,
    messagesReceived: 0,
    probesSent: 0,
    beatsSent: 0,
    pingsReceived: 0,
    pongsReceived: 0,
    pongsUnasked: 0,
  };
  readonly #protocol: Protocol<In, Out>;
  readonly #wire: Wire<In, Out>;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #owner: LifelineOwner<In>;
  #entry = -1;
  /** What was written in this turn and is not with the socket yet. */
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  /** The chunk being received, and whether part of it was kept. */
  #chunk: Uint8Array | undefined;
  #kept = false;
  /** Whether that chunk held anything that proves the peer alive. */
  #alive = false;
  #burst = 0;
  /** Reading is stopped because the owner is full, or to let others have a turn. */
  #full = false;
  #yielding = false;
  /** A probe or beat is due, and waits until what stands before it has left. */
  #owed = false;
  /** Instant of the ping of ours that has had no pong yet; `undefined` without one, `NaN` if there are several. */
  #pingAt: number | undefined;
  /** Last round trip from a ping to its pong, in milliseconds. */
  rtt: number | undefined;
  /** We will send no more. */
  #finished = false;
  /** The peer will send no more. */
  #ended = false;
  #over = false;

  /** Takes over a socket that nobody has started. Call {@linkcode start} next. */
  constructor(
    socket: Socket,
    protocol: Protocol<In, Out>,
    policy: WatchPolicy,
    wheel: Wheel,
    clock: Clock,
    owner: LifelineOwner<In>,
  ) {
    this.socket = socket;
    this.#protocol = protocol;
    this.#wire = protocol.open();
    this.#wheel = wheel;
    this.#clock = clock;
    this.#owner = owner;
    this.watch = new Watch(clock.now(), policy, clock.random());
  }

  /** Starts delivery and the clocks. */
  start(): void {
    this.#entry = this.#wheel.add(this, this.watch.deadline(this.#wheel.pause));
    this.socket.start(this);
  }

  /** Bytes taken and not yet with the kernel. */
  get bufferedAmount(): number {
    return this.#batchBytes + this.socket.bufferedAmount;
  }

  /** The present instant. */
  now(): number {
    return this.#clock.now();
  }

  /** Whether this process itself was away at some time since `instant`. */
  pausedSince(instant: number): boolean {
    return (this.#wheel.pause?.end ?? -Infinity) > instant;
  }

  /** Sends a message of the application. @throws {TypeError | RangeError} If the protocol cannot send it. */
  send(message: Out): void {
    const bytes = this.#wire.encode(message);
    const now = this.#clock.now();
    this.watch.messageAt = now;
    this.watch.moved(now);
    this.#write(bytes, now);
  }

  /** Makes a message the receiver's own, whatever becomes of the chunk it came in. */
  own(message: In): In {
    if (!(message instanceof Uint8Array)) return message;
    if (message.buffer === this.#chunk?.buffer && message.length >= KEEP_FROM) {
      this.#kept = true;
      return message;
    }
    return new Uint8Array(message) as In & Uint8Array;
  }

  /** Keeps the chunk that is being received, whatever its size. */
  keep(): void {
    this.#kept = true;
  }

  /** Stops reading while the owner has no room, and goes on when it has. */
  hold(full: boolean): void {
    if (full === this.#full || this.#over) return;
    this.#full = full;
    // Silence that we cause ourselves is not the peer's.
    this.watch.heartbeat.listen(this.#clock.now(), !full && !this.#mute);
    this.#rearm();
    if (this.#yielding) return;
    if (full) this.socket.pause();
    else this.socket.resume();
  }

  /** Puts other heartbeat rules in force. */
  update(policy: HeartbeatPolicy): void {
    this.watch.heartbeat.update(this.#clock.now(), policy);
    this.#rearm();
  }

  /** Asks to be told, by {@linkcode LifelineOwner.quiet}, when nothing has moved for a moment. */
  drain(): void {
    this.watch.drain(this.#clock.now());
    this.#rearm();
  }

  /** Says that something is still under way. */
  busy(): void {
    this.watch.moved(this.#clock.now());
  }

  /** Sends what waits, the protocol's goodbye and FIN. Receiving goes on. */
  finish(): void {
    if (this.#over || this.#finished) return;
    const now = this.#clock.now();
    const goodbye = this.#wire.goodbye?.();
    if (goodbye !== undefined) this.#write(goodbye, now);
    this.flush();
    this.#finished = true;
    this.socket.shutdown();
    // A peer that can no longer be asked is not judged for not answering.
    if (this.#protocol.answersPings) this.watch.heartbeat.listen(now, false);
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

  /** Whether the peer's silence says nothing about it: it has ended, or cannot be asked any more. */
  get #mute(): boolean {
    return this.#ended || (this.#finished && this.#protocol.answersPings);
  }

  // What the wheel calls.

  due(now: number, sure: boolean): number {
    while (!this.#over) {
      const verdict = this.watch.check(now, this.#wheel.pause);
      switch (verdict) {
        case "wait":
          return this.watch.deadline(this.#wheel.pause);
        case "suspect":
        case "probe":
        case "beat":
          this.#ask(verdict, now);
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

  /** Writes a probe or beat, unless something waits to be sent already: then it goes when that has left. */
  #ask(verdict: "suspect" | "probe" | "beat", now: number): void {
    if (verdict === "probe") this.counts.probesSent++;
    if (this.bufferedAmount > 0) {
      this.#owed = true;
      return;
    }
    if (verdict !== "suspect") this.#ping(now);
    if (this.bufferedAmount === 0) this.watch.heartbeat.flushed(now);
  }

  #ping(now: number): void {
    const ping = this.#wire.ping?.();
    if (ping === undefined) return;
    this.counts.beatsSent++;
    this.#pingAt = this.#pingAt === undefined ? now : NaN;
    this.#write(ping, now);
    this.flush();
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
    watch.moved(now);
    this.#chunk = chunk;
    this.#kept = this.#alive = false;
    receiving++;
    try {
      this.#wire.receive(chunk, this);
    } catch (error) {
      this.#break("protocol-error", error);
    }
    receiving--;
    this.#chunk = undefined;
    if (!this.#over) {
      const { unfinished } = this.#wire;
      // Only pongs that answer nothing of ours are not: a peer that sends them unasked might send them for ever.
      if (counts.pongsUnasked !== pongsUnasked && !this.#alive && unfinished === 0) watch.heartbeat.heardAt = heardAt;
      if (watch.frame(now, unfinished, counts.messagesReceived !== messagesReceived)) this.#rearm();
      if (this.#batchBytes > 0) this.flush();
      if ((this.#burst += chunk.length) >= BURST) this.#yield();
    }
    // What was written to others must leave too while the chunk is still borrowed: they may share its bytes.
    if (receiving === 0 && waiting.length > 0) flushAll();
    return this.#kept;
  }

  written(): void {
    if (this.#over) return;
    const now = this.#clock.now(), left = this.socket.bufferedAmount;
    this.watch.stall.progress(now, left);
    this.watch.moved(now);
    if (left === 0) {
      this.watch.parted(now);
      if (this.#owed) {
        this.#owed = false;
        this.#ping(now);
        if (this.bufferedAmount === 0) this.watch.heartbeat.flushed(now);
      }
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
    // No more will come, so silence says nothing any more.
    this.watch.heartbeat.listen(this.#clock.now(), false);
    this.watch.frame(0, 0, true);
    this.#owner.ended();
  }

  close(error?: Error): void {
    if (!this.#stop()) return;
    if (error === undefined) return this.#owner.broke("closed");
    const { code } = error as { code?: unknown };
    const reset = code === "ECONNRESET" || code === "EPIPE";
    this.#owner.broke(reset ? "reset" : "network-failed", error);
  }

  // What the protocol calls.

  message(message: In, size: number): void {
    if (this.#over) return;
    this.#alive = true;
    this.counts.messagesReceived++;
    this.watch.messageAt = this.watch.heartbeat.heardAt;
    this.#owner.message(message, size);
  }

  ping(payload?: Uint8Array): void {
    if (this.#over) return;
    this.#alive = true;
    this.counts.pingsReceived++;
    if (this.#wire.pong !== undefined) this.#write(this.#wire.pong(payload), this.watch.heartbeat.heardAt);
  }

  pong(_payload?: Uint8Array): void {
    this.counts.pongsReceived++;
    if (this.#pingAt === undefined) {
      this.counts.pongsUnasked++;
      return;
    }
    this.#alive = true;
    // Karn's rule: a pong that may answer one of several pings measures nothing.
    if (!Number.isNaN(this.#pingAt)) this.rtt = this.watch.heartbeat.heardAt - this.#pingAt;
    this.#pingAt = undefined;
  }

  /** Hands the bytes written in this turn to the socket, as one piece. */
  flush(): void {
    const batch = this.#batch;
    if (batch.length === 0 || this.#over) return;
    this.#batch = [];
    const bytes = batch.length === 1 ? batch[0]! : joined(batch, this.#batchBytes);
    this.#batchBytes = 0;
    this.#hand(bytes, this.#clock.now());
  }

  #write(bytes: Uint8Array, now: number): void {
    if (this.#over || this.#finished || bytes.length === 0) return;
    this.watch.heartbeat.sentAt = now;
    this.counts.bytesSent += bytes.length;
    if (bytes.length > SMALL) {
      this.flush();
      this.#hand(bytes, now);
      return;
    }
    this.#batchBytes += bytes.length;
    // While a chunk is being received, it is flushed at the end of that; otherwise at the end of the turn.
    if (this.#batch.push(bytes) === 1 && this.#chunk === undefined) flushSoon(this);
    if (this.#batchBytes > SMALL) this.flush();
  }

  #hand(bytes: Uint8Array, now: number): void {
    if (this.socket.write(bytes)) return;
    this.watch.stall.waiting(now);
    this.#wheel.hasten(this.#entry, this.watch.stall.deadline(this.#wheel.pause));
  }

  /** Lets the other connections have a turn of the event loop. */
  #yield(): void {
    this.#burst = 0;
    if (this.#yielding || this.#full) return;
    this.#yielding = true;
    this.socket.pause();
    this.#clock.afterTurn(() => {
      this.#yielding = false;
      if (!this.#full && !this.#over) this.socket.resume();
    });
  }

  #rearm(): void {
    if (!this.#over && this.#entry >= 0) this.#wheel.hasten(this.#entry, this.watch.deadline(this.#wheel.pause));
  }

  #break(code: BreakCode, cause?: unknown): void {
    if (!this.#stop()) return;
    this.socket.abort();
    this.#owner.broke(code, cause);
  }

  /** Ends the clocks. Returns whether they were running. */
  #stop(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#batch = [];
    if (this.#entry >= 0) this.#wheel.remove(this.#entry);
    return true;
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** How many lifelines are in the midst of receiving: more than one if the application writes to itself. */
let receiving = 0;
/** Lifelines that wrote in this turn. One microtask flushes them all, instead of a closure for each. */
let waiting: { flush(): void }[] = [];

function flushSoon(lifeline: { flush(): void }): void {
  if (waiting.push(lifeline) === 1 && receiving === 0) queueMicrotask(flushAll);
}

function flushAll(): void {
  const lifelines = waiting;
  waiting = [];
  for (const lifeline of lifelines) lifeline.flush();
}
