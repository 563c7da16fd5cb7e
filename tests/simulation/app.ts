/**
 * The application above one connection: sends, takes, dawdles, asks, and leaves, as its plan has it.
 *
 * @module
 */

import type { Connection } from "../../lib/connection.ts";
import type { CloseReason } from "../../lib/errors.ts";
import { Course, type Dialect, type Message, sizeOf, sumOf } from "./codec.ts";
import type { Lots } from "./lots.ts";
import type { Process } from "./process.ts";
import type { Acts, Witness } from "./witness.ts";

/** How an application ends its connection. */
export type Leaving = "close" | "finish" | "drain" | "abort";

/** What an application does. Times are in milliseconds from the opening on. */
export interface AppPlan {
  readonly form: "callback" | "iterator";
  /** How long it takes over each message. */
  readonly hold: number;
  /** When it takes no more, for good. */
  readonly stuckAt: number;
  /** How often it sends, how many messages at a time, and of which size. */
  readonly every: number;
  readonly burst: number;
  readonly size: number;
  /** Does not wait until a message was accepted. */
  readonly careless: boolean;
  /** Answers each message with one. */
  readonly echo: boolean;
  /** Listens on the connection's signal. */
  readonly listens: boolean;
  readonly leaveAt: number;
  readonly leaving: Leaving;
  readonly probeAt: number;
  readonly updateAt: number;
}

/** Draws what an application does in a run of `length` ms. */
export function drawApp(lots: Lots, length: number, serves: boolean): AppPlan {
  const talks = lots.chance(0.5);
  return {
    form: lots.pick(["callback", "iterator"]),
    hold: lots.chance(0.2) ? lots.scale(1, length / 8) : 0,
    stuckAt: lots.chance(0.06) ? lots.real(0, length) : Infinity,
    every: talks ? lots.scale(length / 40, length) : Infinity,
    burst: lots.chance(0.2) ? lots.int(2, 12) : 1,
    size: lots.scale(1, lots.chance(0.2) ? 8_000 : 200),
    careless: lots.chance(0.05),
    // At one end only: two that answer each other never stop.
    echo: serves && lots.chance(0.2),
    listens: lots.chance(0.3),
    leaveAt: lots.chance(0.3) ? lots.real(0, length) : Infinity,
    leaving: lots.pick(["close", "finish", "drain", "abort"] as const),
    probeAt: lots.chance(0.1) ? lots.real(0, length) : Infinity,
    updateAt: lots.chance(0.05) ? lots.real(0, length) : Infinity,
  };
}

/** One application at one end. */
export class App {
  readonly connection: Connection<Message, Message>;
  readonly acts: Acts = { aborts: false, careless: false };
  readonly witness: Witness;
  readonly plan: AppPlan;
  readonly sent: Course;
  readonly taken: Course;
  /** What each teller said was the reason. */
  observed: CloseReason | undefined;
  told: CloseReason | undefined;
  signalled: unknown;
  /** Promises of the library that have not settled. */
  owed = 0;
  /** It left before the peer had. */
  left = false;
  readonly #process: Process;
  readonly #asks: boolean;
  readonly #freed: Promise<void>;
  #free!: () => void;
  #health: "healthy" | "suspect" = "healthy";

  constructor(
    process: Process,
    connection: Connection<Message, Message>,
    witness: Witness,
    plan: AppPlan,
    dialect: Dialect,
  ) {
    this.#process = process;
    this.connection = connection;
    this.witness = witness;
    this.plan = plan;
    // A token that answers one in raw bytes is left out when data has just been sent, and who asks on demand may ask then.
    this.#asks = dialect !== "raw" && dialect !== "answered";
    this.sent = new Course(dialect);
    this.taken = new Course(dialect);
    this.#freed = new Promise((resolve) => this.#free = resolve);
    // Two who send, and each waits for its own, may be too much together.
    this.acts.careless = plan.careless || (plan.echo && plan.every < Infinity);
    witness.attach(connection as Connection<unknown, unknown>, this.acts);
    this.owed++;
    connection.closed.then((reason) => {
      this.owed--;
      this.told = reason;
    });
    // A signal costs as much as all else here, so some are only asked for afterwards.
    if (plan.listens) {
      connection.signal.addEventListener("abort", () => {
        if (this.signalled !== undefined) this.#wrong("its signal aborted twice");
        this.signalled = connection.signal.reason;
      });
    }
    connection.onHealth = (health) => {
      process.work();
      if (health === this.#health) this.#wrong(`${health} was told twice`);
      this.#health = health;
    };
  }

  /** Begins. Returns the promise that is a handler's scope, if there is one. */
  begin(): Promise<void> | undefined {
    const { plan } = this;
    this.#process.work();
    if (plan.every < Infinity) void this.#send();
    this.#at(plan.leaveAt, () => this.#leave());
    if (this.#asks) this.#at(plan.probeAt, () => this.#probe());
    this.#at(plan.updateAt, () => this.#update());
    if (plan.form === "iterator") return this.#iterate();
    this.connection.onMessage = (message) => this.#take(message);
    return undefined;
  }

  /** Takes everything from now on, and sends no more. */
  stop(): void {
    this.#free();
    this.left = true;
  }

  /** Looks for what should be settled by now, and is not alike. */
  check(): void {
    const { observed, told } = this;
    const signalled = this.plan.listens ? this.signalled : this.connection.signal.reason;
    if (observed === undefined) return this.#wrong("has not ended");
    if (told !== observed) this.#wrong(`closed told ${told?.code}, its observer ${observed.code}`);
    if (signalled !== observed) this.#wrong(`its signal told ${signalled}, its observer ${observed.code}`);
    if (this.owed !== 0) this.#wrong(`${this.owed} promises have not settled`);
    if (this.connection.state !== "closed") this.#wrong(`is ${this.connection.state} after its end`);
    if (this.connection.bufferedAmount !== 0) this.#wrong("buffers bytes after its end");
  }

  /** What the peer sent, if none of it may be missing here. */
  checkAll(peer: App): void {
    const { observed, taken, plan } = this;
    if (observed?.code !== "closed" || peer.observed?.code !== "closed") return;
    if (this.left || observed.origin !== "peer" || plan.stuckAt < Infinity) return;
    if (taken.place !== peer.sent.place) {
      this.#wrong(`took ${taken.place} of ${peer.sent.place} though both ended in good order`);
    }
  }

  async #iterate(): Promise<void> {
    try {
      for await (const message of this.connection) {
        const wait = this.#take(message);
        if (wait !== undefined) await wait;
        if (this.witness.ended) return;
      }
    } catch (error) {
      if (error !== this.observed) throw error;
    }
    await this.connection.close();
  }

  #take(message: Message): Promise<void> | undefined {
    const { plan, connection } = this;
    this.#process.world.activity++;
    // Plain peers send what they like.
    const wrong = this.witness.socket.peer?.witness && this.taken.check(message);
    if (wrong !== undefined) this.#wrong(wrong);
    this.#process.work();
    this.witness.message(sizeOf(message));
    const openFor = this.#process.now() - this.#openedAt;
    let wait: Promise<void> | undefined;
    if (plan.echo && connection.state !== "closing" && connection.state !== "closed" && !this.#finished) {
      wait = this.#sendOne(plan.size);
    }
    if (openFor >= plan.stuckAt) wait = Promise.all([wait, this.#freed]).then(() => {});
    else if (plan.hold > 0) {
      const held = Promise.race([this.#freed, this.#process.sleep(plan.hold)]);
      wait = Promise.all([wait, held]).then(() => {});
    }
    if (wait === undefined) return undefined;
    const sum = sumOf(message);
    return wait.then(() => {
      if (sum !== sumOf(message)) this.#wrong("a message was changed while the application had it");
    });
  }

  async #send(): Promise<void> {
    const { plan } = this;
    for (;;) {
      await this.#process.sleep(plan.every);
      for (let i = 0; i < plan.burst; i++) {
        const { state } = this.connection;
        if (this.left || this.#finished || state === "closing" || state === "closed") return;
        const accepted = this.#sendOne(plan.size);
        if (!plan.careless) await accepted;
      }
    }
  }

  /** Sends one message. Fulfilled when it was accepted, or when there is nobody any more to accept it. */
  #sendOne(size: number): Promise<void> {
    this.#process.world.activity++;
    const before = this.connection.stats().messagesSent;
    const message = this.sent.make(size);
    this.owed++;
    const accepted = this.connection.send(message).then(() => {
      this.owed--;
    }, (error) => {
      this.owed--;
      if (error !== this.connection.signal.reason) this.#wrong(`a send failed with ${error}`);
    });
    if (this.connection.stats().messagesSent === before) {
      this.sent.place -= typeof message === "string" ? 1 : size;
    } else this.witness.message();
    return accepted;
  }

  #finished = false;

  #leave(): void {
    const { leaving } = this.plan;
    if (leaving === "abort") this.acts.aborts = true;
    if (leaving === "finish") {
      this.#finished = true;
      this.connection.finish();
      return;
    }
    this.left = true;
    if (leaving === "abort") this.connection.abort(new Error("enough"));
    else void this.connection[leaving]();
  }

  #probe(): void {
    const { connection } = this;
    if (connection.state === "closing" || connection.state === "closed") return;
    this.owed++;
    this.witness.probed();
    connection.probe().then((rtt) => {
      this.owed--;
      if (!(rtt >= 0)) this.#wrong(`a probe took ${rtt} ms`);
    }, (error) => {
      this.owed--;
      if (error !== connection.signal.reason) this.#wrong(`a probe failed with ${error}`);
    });
  }

  #update(): void {
    const { interval } = this.connection.heartbeat;
    if (interval < Infinity && !this.witness.ended) this.connection.heartbeat.update({ interval });
  }

  get #openedAt(): number {
    return this.witness.openedAt;
  }

  #at(time: number, act: () => void): void {
    if (time === Infinity) return;
    this.#process.after(time, () => {
      if (!this.witness.ended) act();
    });
  }

  #wrong(what: string): void {
    this.#process.world.violated(`${this.witness.name} ${what}`);
  }
}
