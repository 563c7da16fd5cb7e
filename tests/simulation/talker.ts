/**
 * The application above one end of a session: sends, takes, dawdles, leaves; and keeps the books.
 *
 * @module
 */

import type { Connection, ConnectionState } from "../../lib/connection.ts";
import type { CloseReason } from "../../lib/errors.ts";
import { type Message, sumOf } from "./codec.ts";
import type { Bond, Course } from "./ledger.ts";
import type { Lots } from "./lots.ts";
import type { Process } from "./process.ts";
import type { SessionPace } from "./sessions_plan.ts";

/** How an application ends its connection. */
export type Parting = "close" | "drain" | "finish" | "abort";

/** What an application does. Times are in milliseconds from the opening on. */
export interface Talk {
  readonly form: "callback" | "iterator";
  /** How long it takes over each message. */
  readonly hold: number;
  /** How often it sends, how many messages at a time, of which sizes. */
  readonly every: number;
  readonly burst: number;
  readonly size: number;
  /** Size of some messages, which go in pieces; 0 for none. */
  readonly big: number;
  readonly text: boolean;
  /** Does not wait until a message was accepted. */
  readonly careless: boolean;
  /** Answers each message with one. */
  readonly echo: boolean;
  /** Has another connection of the same process say something for each message. */
  readonly relay: boolean;
  readonly flushAt: number;
  readonly leaveAt: number;
  readonly parting: Parting;
}

/** Draws what an application does in a run. */
export function drawTalk(lots: Lots, { length, long }: SessionPace, serves: boolean): Talk {
  return {
    form: lots.pick(["callback", "iterator"]),
    hold: lots.chance(0.3) ? lots.scale(1, length / 30) : 0,
    every: lots.chance(0.75) ? lots.scale(length / 16, length / 3) : Infinity,
    burst: lots.chance(0.4) ? lots.int(2, 20) : 1,
    size: lots.scale(1, lots.chance(0.2) ? 3_000 : 100),
    big: long && lots.chance(0.5) ? lots.int(65_400, 90_000) : 0,
    text: lots.chance(0.5),
    careless: lots.chance(0.3),
    // At one end only: two that answer each other never stop.
    echo: serves && lots.chance(0.3),
    relay: serves && lots.chance(0.2),
    flushAt: lots.chance(0.3) ? lots.real(0, length) : Infinity,
    leaveAt: lots.chance(0.2) ? lots.real(0, length) : Infinity,
    parting: lots.pick(["close", "close", "drain", "finish", "abort"] as const),
  };
}

/** What a talker has to know of its end. */
export interface End {
  readonly process: Process;
  readonly side: "client" | "server";
  readonly talk: Talk;
  readonly pieceBytes: number;
  readonly maxOutboundBytes: number;
  /** The session; known once its server has greeted. */
  bond(): Bond;
  /** Says what is wrong with an end for `reason`, if anything is. */
  judge(talker: Talker, reason: CloseReason): string | undefined;
  /** Another connection of the same process. */
  neighbour(): Talker | undefined;
}

/** To where each state may move. */
const MOVES: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  open: ["away", "draining", "closing", "closed"],
  away: ["open", "draining", "closing", "closed"],
  draining: ["closing", "closed"],
  closing: ["closed"],
  closed: [],
};

/** One application at one end. */
export class Talker {
  readonly connection: Connection<Message, Message>;
  readonly end: End;
  /** Why it ended. */
  reason: CloseReason | undefined;
  /** It, or the run, has begun to end it. */
  left = false;
  /** Since when it closes. */
  closingAt = Infinity;
  aborts = false;
  /** Since when nothing carries it. */
  awaySince = Infinity;
  /** Others have it say something, and do not wait. */
  pressed = false;
  /** Sends no more. */
  quiet = false;
  /** Promises of the library that have not settled. */
  owed = 0;
  #state: ConnectionState;
  #told: CloseReason | undefined;
  /** How many messages of the session had been sent when it last sent, or began. */
  #upTo = -1;
  #bond: Bond | undefined;
  readonly #freed: Promise<void>;
  #free!: () => void;

  constructor(connection: Connection<Message, Message>, end: End) {
    this.connection = connection;
    this.end = end;
    this.#state = connection.state;
    this.#freed = new Promise((resolve) => this.#free = resolve);
    this.owed++;
    connection.closed.then((reason) => {
      this.owed--;
      this.#told = reason;
    });
    if (connection.state === "closed") {
      // It ended before anybody could listen.
      void connection.closed.then((reason) => this.#ended(reason));
    }
    connection.onState = (state) => this.#moved(state);
  }

  /** The session. */
  get bond(): Bond {
    return this.#bond ??= this.end.bond();
  }

  /** What this end sends, and what it takes. */
  get out(): Course {
    return this.end.side === "client" ? this.bond.toServer : this.bond.toClient;
  }

  get in(): Course {
    return this.end.side === "client" ? this.bond.toClient : this.bond.toServer;
  }

  get name(): string {
    return `${this.end.process.name}${this.end.side === "client" ? "" : ` for ${this.#bond?.serial ?? "?"}`}`;
  }

  /** Begins. Returns the promise that is a handler's scope, if there is one. */
  begin(): Promise<void> | undefined {
    const { process, talk } = this.end;
    process.work();
    // The session is known once what was written in this turn has left.
    process.after(0, () => {
      if (this.reason !== undefined) return;
      if (this.#upTo < 0) this.#upTo = this.out.sent;
      if (talk.every < Infinity) void this.#talk();
      this.#at(talk.flushAt, () => this.#flush());
      this.#at(talk.leaveAt, () => this.leave(talk.parting));
    });
    if (talk.form === "iterator") return this.#iterate();
    this.connection.onMessage = (message) => this.#take(message);
    return undefined;
  }

  /** Takes everything from now on at once, and sends no more. */
  stop(): void {
    this.quiet = true;
    this.#free();
  }

  /** Ends it. */
  leave(parting: Parting): void {
    if (this.reason !== undefined) return;
    this.markLeft();
    this.quiet = true;
    if (parting === "abort") this.aborts = true;
    if (this.end.process.world.trace.on) this.#say(`${parting}s`);
    if (parting === "abort") this.connection.abort(new Error("enough"));
    else if (parting === "finish") this.connection.finish();
    else this.#owe(this.connection[parting]());
  }

  /** Somebody ends it. */
  markLeft(): void {
    this.left = true;
  }

  /** Says something, if it may. */
  async say(size: number): Promise<void> {
    const { connection, end } = this;
    const { state } = connection;
    if (state === "closing" || state === "closed" || this.quiet) return;
    const { out } = this;
    if (this.#upTo < 0) this.#upTo = out.sent;
    const message = out.make(size, end.talk.text);
    const before = connection.bufferedAmount;
    end.process.world.activity++;
    const accepted = connection.send(message);
    if (connection.bufferedAmount > before) {
      out.accepted(message, end.pieceBytes);
      this.#upTo = out.sent;
      const most = end.maxOutboundBytes + out.bytes(1, out.sent);
      if (connection.bufferedAmount > most) {
        this.wrong(`buffers ${connection.bufferedAmount} of ${most} bytes`);
      }
    }
    this.owed++;
    try {
      await accepted;
    } catch {
      // Refused, or the connection has ended: `closed` tells.
    }
    this.owed--;
  }

  /** What has to be settled at the end. */
  check(): void {
    const { reason, connection } = this;
    if (reason === undefined) return this.wrong(`has not ended: it is ${connection.state}`);
    if (this.#told !== reason) this.wrong("was not told by closed");
    if (connection.signal.reason !== reason) this.wrong("was told something else by its signal");
    if (this.owed !== 0) this.wrong(`has ${this.owed} promises that have not settled`);
    if (connection.state !== "closed") this.wrong(`is ${connection.state} after its end`);
  }

  wrong(what: string): void {
    this.end.process.world.violated(`${this.name} ${what}`);
  }

  async #iterate(): Promise<void> {
    const { connection } = this;
    try {
      for await (const message of connection) {
        const wait = this.#take(message);
        if (wait !== undefined) await wait;
      }
    } catch (error) {
      if (connection.state !== "closed") this.wrong(`got ${error} instead of a message`);
    }
    this.markLeft();
    await connection.close();
  }

  #take(message: Message): Promise<void> | undefined {
    const { process, talk } = this.end;
    process.world.activity++;
    if (process.world.trace.on) this.#say(`takes ${this.in.taken}`);
    const wrong = this.in.take(message);
    if (wrong !== undefined) this.wrong(wrong);
    process.work();
    let wait: Promise<void> | undefined;
    if (talk.echo) wait = this.say(talk.size);
    if (talk.relay) this.#relay();
    if (talk.hold > 0) {
      const held = Promise.race([this.#freed, process.sleep(talk.hold)]);
      wait = Promise.all([wait, held]).then(() => {});
    }
    if (wait === undefined) return undefined;
    const sum = sumOf(message);
    return wait.then(() => {
      if (sum !== sumOf(message)) this.wrong("had a message changed in its hands");
    });
  }

  /** Has another connection of the same process say something. */
  #relay(): void {
    const other = this.end.neighbour();
    if (other === undefined) return;
    other.pressed = true;
    void other.say(this.end.talk.size);
  }

  async #talk(): Promise<void> {
    const { process, talk } = this.end;
    for (let n = 1; !this.quiet; n++) {
      await process.sleep(talk.every);
      for (let i = 0; i < talk.burst && !this.quiet && this.reason === undefined; i++) {
        const said = this.say(talk.big > 0 && n % 4 === 0 && i === 0 ? talk.big : talk.size);
        if (!talk.careless) await said;
      }
      if (this.reason !== undefined) return;
    }
  }

  #flush(): void {
    const { out, connection } = this;
    // Not what the end has sent since to which this one gave the session.
    const sent = this.#upTo;
    this.owed++;
    connection.flush().then(() => {
      this.owed--;
      if (out.taken < sent) this.wrong(`flushed ${sent} messages, of which ${out.taken} were taken`);
    }, (error) => {
      this.owed--;
      if (error !== connection.signal.reason) this.wrong(`could not flush for ${error}`);
    });
  }

  #moved(state: ConnectionState): void {
    const { process } = this.end;
    const { connection } = this;
    if (process.world.trace.on) this.#say(`is ${state}`);
    if (!MOVES[this.#state].includes(state)) this.wrong(`moved from ${this.#state} to ${state}`);
    if (connection.state !== state) this.wrong(`is ${connection.state}, and told ${state}`);
    this.#state = state;
    if (state === "away") this.awaySince = process.now();
    else if (state === "open") this.awaySince = Infinity;
    else if (state === "closing") this.closingAt = process.now();
    if (state === "closed") this.#ended(connection.signal.reason as CloseReason, true);
    process.work();
  }

  #ended(reason: CloseReason, sync = false): void {
    if (this.reason !== undefined) {
      if (sync) this.wrong("ended twice");
      return;
    }
    this.reason = reason;
    this.quiet = true;
    const { process } = this.end;
    if (process.world.trace.on) {
      this.#say(`ended with ${reason.code} by ${reason.origin}, ${reason.unacknowledged.length} lost`);
    }
    const { out } = this;
    const { length } = reason.unacknowledged;
    const upTo = this.#upTo < 0 ? out.sent : this.#upTo;
    const wrong = out.checkTail(reason.unacknowledged, upTo);
    if (wrong !== undefined) return this.wrong(wrong);
    if (upTo - length > out.taken) {
      return this.wrong(
        `ended with ${reason.code} and has lost messages in silence: ${
          upTo - length
        } of ${upTo} should have arrived, ${out.taken} have`,
      );
    }
    const bytes = out.bytes(length, upTo);
    if (reason.facts?.bufferedAmount !== bytes) {
      this.wrong(`tells of ${reason.facts?.bufferedAmount} bytes that wait, and of messages of ${bytes}`);
    }
    const unfit = this.end.judge(this, reason);
    if (unfit !== undefined) this.wrong(`ended with ${reason.code} by ${reason.origin}: ${unfit}`);
  }

  #owe(promise: Promise<void>): void {
    this.owed++;
    promise.then(() => this.owed--, (error) => this.wrong(`could not leave for ${error}`));
  }

  #at(time: number, act: () => void): void {
    if (time === Infinity) return;
    this.end.process.after(time, () => {
      if (this.reason === undefined) act();
    });
  }

  #say(what: string): void {
    const { world, name } = this.end.process;
    world.trace.add(
      world.now,
      name,
      this.end.side === "client" ? what : `${this.#bond?.serial ?? "?"} ${what}`,
    );
  }
}
