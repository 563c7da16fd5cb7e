/**
 * The rules that every connection of a run is held to, told from its socket and from what is known of the network:
 * nothing here asks the library what it thinks.
 *
 * @module
 */

import type { Connection } from "../../lib/connection.ts";
import type { CloseReason } from "../../lib/errors.ts";
import type { HostSocket, Ways } from "./host.ts";
import type { Absence } from "./process.ts";

/** What an end of the library was told to do. Durations are in milliseconds. */
export interface Rules {
  readonly answersPings: boolean;
  /** What a ping of this end looks like. */
  readonly ping: string | undefined;
  readonly steady: boolean;
  readonly writeTimeout: number;
  readonly closeTimeout: number;
  readonly frameTimeout: number;
  readonly idleTimeout: number;
  readonly maxAge: number;
  readonly maxAgeGrace: number;
  readonly maxInboundBytes: number;
  readonly maxOutboundBytes: number;
  /** Least and longest interval and timeout that may be in force. */
  readonly interval: readonly [number, number];
  readonly timeout: readonly [number, number];
}

/** What is known of the application above an end. */
export interface Acts {
  /** It, or its server, may end the connection at once. */
  aborts: boolean;
  /** It sends without waiting. */
  careless: boolean;
}

/** The ways of a peer that is not there yet. */
const UNKNOWN: Ways = {
  answers: false,
  beatsEvery: Infinity,
  floods: false,
  forges: false,
  trickles: false,
};

/** How late a deadline may fall due that was set more than 2.5 s before; the nearer ones, 10 ms. */
const TICK = 160;
/** Pauses of ours that may excuse one silence. */
const EXCUSES = 3;
const SPREAD = 0.2;
const EPSILON = 1;
/** Round trips that the longest message takes through the smallest buffers. */
const MOST_ROUNDS = 6;

/** Watches one end of the library. */
export class Witness {
  readonly #socket: HostSocket;
  readonly #rules: Rules;
  openedAt: number;
  #connection: Connection<unknown, unknown> | undefined;
  #acts: Acts | undefined;
  #heardAt: number;
  /** When pings were with the kernel since then. */
  #pings: number[] = [];
  #pingWaits = false;
  /** By when a probe was with the kernel, at the latest. */
  #askedBy = Infinity;
  #probed = false;
  /** When the kernel last took something while something waits. */
  #waitsSince = Infinity;
  #emptyAt: number;
  #deaf = false;
  #deafUntil: number;
  #peerEnded = false;
  #closingAt = Infinity;
  #frameAt = Infinity;
  /** When a message was last sent or taken, or may have come; and when one was last sent. */
  #messageAt: number;
  #sentAt = -Infinity;
  #bytesIn = 0;
  #bytesTaken = 0;
  #reason: CloseReason | undefined;

  constructor(socket: HostSocket, rules: Rules) {
    this.#socket = socket;
    this.#rules = rules;
    const now = socket.process.now();
    this.openedAt =
      this.#heardAt =
      this.#emptyAt =
      this.#deafUntil =
      this.#messageAt =
        now;
  }

  get ended(): boolean {
    return this.#reason !== undefined;
  }

  get name(): string {
    return `${this.#socket.process.name} ${this.#socket.route.name}`;
  }

  get socket(): HostSocket {
    return this.#socket;
  }

  /** The connection that was made of the socket. */
  attach(connection: Connection<unknown, unknown>, acts: Acts): void {
    this.#connection = connection;
    this.#acts = acts;
    // The kernel may have taken it while the process was away.
    const now = this.#now;
    if (this.#bytesIn > 0 || now === this.openedAt) return;
    this.openedAt =
      this.#heardAt =
      this.#emptyAt =
      this.#deafUntil =
      this.#messageAt =
        now;
  }

  // What the socket tells.

  hears(chunk: Uint8Array): void {
    this.check();
    const now = this.#now;
    this.#heardAt = this.#messageAt = now;
    this.#pings = [];
    this.#askedBy = Infinity;
    this.#probed = false;
    this.#bytesIn += chunk.length;
    const lf = chunk.lastIndexOf(10);
    if (lf === chunk.length - 1) this.#frameAt = Infinity;
    else if (lf >= 0 || this.#frameAt === Infinity) this.#frameAt = now;
  }

  ends(): void {
    this.check();
    this.#peerEnded = true;
    this.#frameAt = Infinity;
  }

  deaf(deaf: boolean): void {
    this.check();
    this.#deaf = deaf;
    this.#heardAt = this.#deafUntil = this.#now;
    this.#askedBy = Infinity;
  }

  /** Bytes are about to be given to the socket, in which `buffered` wait. */
  writes(bytes: Uint8Array, buffered: number): void {
    const { ping } = this.#rules;
    if (ping === undefined || bytes.length !== ping.length || bytes[0] !== ping.charCodeAt(0)) return;
    if (bytes[1] !== ping.charCodeAt(1)) return;
    if (buffered > 0) this.#violated(`piled a ping on ${buffered} bytes that wait`);
    this.#pingWaits = true;
  }

  /** Bytes were given to the socket, or have left it: `buffered` wait. */
  wrote(buffered: number, progress = false): void {
    const now = this.#now, waited = this.#waitsSince < Infinity;
    if (progress) this.check();
    if (buffered === 0) {
      if (waited) this.#emptyAt = now;
      this.#waitsSince = Infinity;
      if (this.#pingWaits) this.#pings.push(now);
      this.#pingWaits = false;
      return;
    }
    if (!waited) {
      // The time for an answer runs once we asked, which may be a tick late, and nothing waits.
      const asked = this.#askedByNow();
      if (asked + this.#lateness < now) this.#askedBy = asked;
    }
    if (!waited || progress) this.#waitsSince = now;
  }

  // What the application tells.

  /** Asked for a sign of life. */
  probed(): void {
    this.#probed = true;
  }

  /** A message was sent or received; `taken` bytes of what came in are with the application. */
  message(taken = 0): void {
    this.#messageAt = this.#now;
    if (taken === 0) this.#sentAt = this.#now;
    this.#bytesTaken += taken;
  }

  /** The connection has ended, it says. */
  judged(reason: CloseReason): void {
    if (this.#reason !== undefined) {
      return this.#violated(`ended twice: ${this.#reason.code}, ${reason.code}`);
    }
    this.check();
    this.#reason = reason;
    this.#judge(reason, this.#socket.peer?.ways ?? UNKNOWN);
  }

  // The rules.

  /** To be called whenever something may have changed. */
  step(): void {
    const connection = this.#connection;
    if (connection === undefined || this.ended) return;
    if (connection.state === "closing" && this.#closingAt === Infinity) this.#closingAt = this.#now;
    const { maxOutboundBytes, maxInboundBytes } = this.#rules;
    const { bufferedAmount } = connection;
    if (bufferedAmount > maxOutboundBytes + 80_000) {
      this.#violated(`buffers ${bufferedAmount} bytes, with a bound of ${maxOutboundBytes}`);
    }
    if (connection.state === "open" && this.#bytesIn - this.#bytesTaken > 2 * maxInboundBytes + 90_000) {
      const { beatsReceived, pongsReceived } = connection.stats();
      const queued = this.#bytesIn - this.#bytesTaken - 9 * (beatsReceived + pongsReceived);
      if (queued > maxInboundBytes + 70_000) {
        this.#violated(`keeps ${queued} bytes that came, with a bound of ${maxInboundBytes}`);
      }
    }
    const { interval, timeout } = connection.heartbeat;
    const [[minInterval, maxInterval], [minTimeout, maxTimeout]] = [
      this.#rules.interval,
      this.#rules.timeout,
    ];
    if (interval < minInterval || interval > maxInterval || timeout < minTimeout || timeout > maxTimeout) {
      this.#violated(`has an interval of ${interval} and a timeout of ${timeout}, out of their bounds`);
    }
  }

  /** A connection that lives past its bound should have been found dead. */
  check(): void {
    if (this.ended || this.#connection === undefined || this.#socket.process.dead) return;
    const [what, bound] = this.#bound();
    if (this.#now > bound) {
      this.#violated(`is alive at ${this.#now}, though ${what} was due by ${bound}`);
    }
  }

  /** The soonest end there must be if nothing happens, and which; with how late timers are. */
  #bound(): [what: string, bound: number] {
    const { writeTimeout, closeTimeout, maxAge, maxAgeGrace, idleTimeout, answersPings } = this.#rules;
    const { interval, timeout } = this.#connection!.heartbeat;
    const slack = 3 * this.#lateness;
    const waits = this.#waitsSince < Infinity;
    const respite = SPREAD * interval;
    let soonest: [string, number] = ["nothing", Infinity];
    const consider = (what: string, bound: number) => {
      if (bound < soonest[1]) soonest = [what, bound];
    };
    if (waits) {
      consider(
        "write-stalled",
        this.#excused(this.#waitsSince + writeTimeout + slack, this.#waitsSince, writeTimeout, slack),
      );
    }
    if (this.#closingAt < Infinity) {
      if (!waits) {
        consider(
          "close-timeout",
          this.#past(Math.max(this.#closingAt, this.#emptyAt) + closeTimeout + slack),
        );
      }
      return soonest;
    }
    consider("max-age", this.#past(this.openedAt + 1.1 * maxAge + maxAgeGrace + slack));
    const mute = this.#deaf || this.#peerEnded || (this.#socket.finished && answersPings);
    if (!this.#deaf) {
      consider("idle-timeout", this.#past(Math.max(this.#messageAt, this.#deafUntil) + idleTimeout + slack));
    }
    if (!mute && interval < Infinity && timeout < Infinity) {
      let asked = this.#askedByNow();
      const last = this.#lastAbsence?.end ?? -Infinity;
      if (last > this.#heardAt) asked = waits ? Infinity : Math.max(asked, this.#emptyAt);
      consider(
        "heartbeat-timeout",
        this.#excused(asked + timeout + slack, this.#heardAt, timeout, respite + slack),
      );
    }
    return soonest;
  }

  #askedByNow(): number {
    if (this.#waitsSince < Infinity || this.#connection === undefined) return this.#askedBy;
    return Math.min(
      this.#askedBy,
      Math.max(this.#emptyAt, this.#heardAt + this.#connection.heartbeat.interval),
    );
  }

  /** The latest that `bound` can become by our own absences after `since`. */
  #excused(bound: number, since: number, timeout: number, respite: number): number {
    const bounds = [bound, -Infinity, -Infinity, -Infinity];
    for (const { start, end } of this.#absences) {
      if (end <= since) continue;
      for (let used = EXCUSES; used >= 0; used--) {
        if (start > bounds[used]!) continue;
        const anew = Math.max(bounds[used]!, end) + respite + timeout;
        if (used < EXCUSES && anew > bounds[used + 1]!) bounds[used + 1] = anew;
        bounds[used]! += end - start;
      }
    }
    return Math.max(...bounds);
  }

  /** `bound`, or when the absence in which it fell has ended and timers run again. */
  #past(bound: number): number {
    let past = bound;
    for (const { start, end } of this.#absences) if (start <= past && past < end) past = end;
    return past === bound ? bound : past + this.#lateness;
  }

  #judge({ code, facts }: CloseReason, { answers, floods, forges, trickles, beatsEvery }: Ways): void {
    const now = this.#now;
    const { writeTimeout, frameTimeout, idleTimeout, maxAge } = this.#rules;
    const { interval, timeout } = this.#connection!.heartbeat;
    const { peer, route } = this.#socket;
    const peerLeft = peer === undefined || peer.droppedAt < Infinity || peer.over || peer.process.dead;
    switch (code) {
      case "closed":
        if (!this.#peerEnded) this.#violated("closed in good order, though the peer has not finished");
        return;
      case "aborted":
        if (!this.#acts!.aborts) this.#violated("was aborted by nobody");
        return;
      case "reset":
        if (!route.wasReset && !peerLeft) this.#violated("was reset by nobody");
        return;
      case "write-overflow":
        if (!this.#acts!.careless) this.#violated("overflowed, though each send was waited for");
        return;
      case "too-many-pings":
      case "too-many-messages":
        // Those that a peer sent before we took the connection, as we were away or its opening was held up, come at once.
        if (
          !floods && !(this.openedAt > (peer?.witness?.openedAt ?? Infinity) + this.#roundTrip + 4 * TICK)
        ) {
          this.#violated(`ended with ${code} a peer that keeps to the rules`);
        }
        return;
      case "max-age":
        if (now < this.openedAt + 0.9 * maxAge) this.#violated("aged too soon");
        return;
      case "close-timeout":
        if (now < this.#closingAt + this.#rules.closeTimeout - EPSILON) {
          this.#violated("close-timeout came too soon");
        }
        return;
      case "idle-timeout":
        if (this.#deaf) this.#violated("ended as idle a peer that it does not read");
        if (now < this.#sentAt + idleTimeout - EPSILON) this.#violated("idle-timeout came too soon");
        return;
      case "frame-timeout": {
        if (this.#deaf) this.#violated("blamed for a slow message a peer that it does not read");
        if (now < Math.max(this.#frameAt, this.#deafUntil) + frameTimeout - EPSILON) {
          this.#violated("frame-timeout came too soon");
        }
        // Peers send a message at once: it takes as many round trips as it fills the kernels' buffers.
        const sent = Math.max(
          this.#frameAt,
          this.#deafUntil,
          this.#lastAbsence?.end ?? 0,
          this.#clearSince(),
        );
        const came = sent + MOST_ROUNDS * this.#roundTrip + EPSILON;
        if (!trickles && came < now) {
          this.#violated(`blamed a peer for a slow message, which had come by ${came}`);
        }
        return;
      }
      case "write-stalled": {
        if (now < this.#waitsSince + writeTimeout - EPSILON) this.#violated("write-stalled came too soon");
        const taken = Math.max(this.#waitsSince, this.#clearSince()) + this.#roundTrip + EPSILON;
        if (taken < now) this.#violated(`gave up as stalled a peer that reads: it took bytes by ${taken}`);
        return;
      }
      case "heartbeat-timeout": {
        if (this.#deaf) this.#violated("gave up a peer that it does not read");
        if (this.#peerEnded) this.#violated("gave up for its silence a peer that has finished");
        // The second of two pongs in a row may be one that was sent twice, which is no sign of life.
        const heard = Math.min(this.#heardAt, facts!.lastHeardAt);
        const from = this.#probed ? this.#pings[0]! : heard + interval * (1 - SPREAD);
        // One that has finished cannot ask any more. Only a peer that owes no answer is judged then, by what it owes.
        const mayNotAsk = this.#rules.ping === undefined || this.#socket.finished;
        const asked = this.#pings[0] ?? (mayNotAsk ? from : now);
        if (!forges && now < Math.max(from, this.#rules.steady ? from : asked) + timeout - EPSILON) {
          this.#violated(
            `gave up too soon: heard at ${this.#heardAt} (${
              facts!.lastHeardAt
            }), asked at ${asked}, timeout ${timeout}`,
          );
        }
        const clear = this.#clearSince();
        if (answers) {
          for (const ping of this.#pings) {
            const answered = Math.max(ping, clear) + this.#roundTrip + EPSILON;
            if (answered < now) {
              return this.#violated(`killed a live peer: asked at ${ping}, it answered by ${answered}`);
            }
          }
        }
        const spoke = Math.max(this.#heardAt, clear) + (1 + SPREAD) * beatsEvery + this.#roundTrip + 4 * TICK;
        if (spoke < now) this.#violated(`killed a live peer, which sent a beat by ${spoke}`);
        return;
      }
      default:
        this.#violated(`ended with ${code}: ${this.#reason!.message} ${causeOf(this.#reason!)}`);
    }
  }

  /** From when on nothing but the weather was between the peer and us; `Infinity` if something still is. */
  #clearSince(): number {
    const { peer, route } = this.#socket;
    if (peer === undefined || peer.over || peer.finished || peer.process.dead) return Infinity;
    if (peer.process.away || peer.stopped) return Infinity;
    return Math.max(
      route.toClient.clearSince,
      route.toServer.clearSince,
      peer.process.absences.at(-1)?.end ?? -Infinity,
      peer.resumedAt,
    );
  }

  /** How late a deadline may fall due. */
  get #lateness(): number {
    const { late, early } = this.#socket.process.habits;
    return TICK + late + early + EPSILON;
  }

  get #roundTrip(): number {
    const { toClient, toServer } = this.#socket.route;
    return toClient.delay + toServer.delay;
  }

  get #now(): number {
    return this.#socket.process.now();
  }

  get #lastAbsence(): Absence | undefined {
    return this.#absences.at(-1);
  }

  get #absences(): readonly Absence[] {
    return this.#socket.process.allAbsences;
  }

  #violated(what: string): void {
    this.#socket.process.world.violated(`${this.name} ${what}`);
  }
}

function causeOf({ cause }: CloseReason): string {
  return cause instanceof Error ? cause.stack ?? cause.message : String(cause);
}
