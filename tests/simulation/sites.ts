/**
 * Servers with sessions that follow each other at one address, and the store that they share.
 *
 * @module
 */

import type { Connection } from "../../lib/connection.ts";
import type { CloseReason } from "../../lib/errors.ts";
import { serve, type Server } from "../../lib/server.ts";
import { memoryStore, type SessionStore } from "../../lib/session/store.ts";
import type { TcpAddress } from "../../lib/transport/transport.ts";
import type { Message } from "./codec.ts";
import { Host } from "./host.ts";
import type { Bond, Ledger } from "./ledger.ts";
import type { Net } from "./net.ts";
import { drawHabits } from "./peers.ts";
import { type Habits, Process } from "./process.ts";
import { drawCut, type SessionPace, type SessionSide } from "./sessions_plan.ts";
import { drawTalk, Talker } from "./talker.ts";
import { type Tap, TappedHost } from "./tap.ts";
import type { Lots } from "./lots.ts";
import type { World } from "./world.ts";

/** How late a timer of the library may be, with that of its process. */
export const SLACK = 180;

/** What all of a run share. */
export interface SessionScene {
  readonly world: World;
  readonly net: Net;
  readonly lots: Lots;
  readonly pace: SessionPace;
  readonly ledger: Ledger;
  readonly talkers: Talker[];
  /** Connections to come are cut this likely. */
  perils: number;
  /** The faults are over. */
  calm: boolean;
}

/** What the ways of peers are, to whoever asks: nobody does here. */
export const NO_WAYS = { answers: true, beatsEvery: Infinity, floods: false, forges: false, trickles: false };

/** Notes a connection, and may put a cut on it. */
export function tapped(scene: SessionScene, lots: Lots): (tap: Tap) => void {
  return (tap) => {
    scene.ledger.tapped(tap);
    if (lots.chance(scene.perils)) tap.cut = drawCut(lots, 0, 2_000, scene.pace.interval);
  };
}

/** The store of a site: that of the library, which may take its time. */
export class SlowStore {
  readonly #scene: SessionScene;
  readonly #store: SessionStore;
  /** When what is there was put there, and until when it is kept. */
  readonly #kept = new Map<string, { readonly at: number; readonly until: number }>();

  constructor(scene: SessionScene) {
    this.#scene = scene;
    const { world } = scene;
    this.#store = memoryStore({ now: () => world.now } as Parameters<typeof memoryStore>[0]);
  }

  /** The store, as one process has it. */
  of(process: Process): SessionStore {
    const { pace, ledger } = this.#scene;
    const wait = () => pace.storeDelay === 0 ? undefined : process.sleep(pace.storeDelay);
    return {
      put: async (record, window) => {
        await wait();
        this.#kept.set(record.id, { at: process.now(), until: process.now() + window });
        await this.#store.put(record, window);
        await wait();
      },
      take: async (id) => {
        await wait();
        this.#kept.delete(id);
        const record = await this.#store.take(id);
        const bond = ledger.bond(id);
        if (record !== undefined && bond !== undefined) bond.atRest = { process, at: process.now() };
        await wait();
        return record;
      },
    };
  }

  /** Since when a session is there; `undefined` if it is not. */
  since(id: string): number | undefined {
    const kept = this.#kept.get(id);
    return kept !== undefined && kept.until > this.#scene.world.now + SLACK ? kept.at : undefined;
  }
}

/** How the server of a site goes down. */
export type Downfall = "drain" | "rolling" | "abort" | "kill" | "host";

/** One address, and the processes that serve it. */
export class Site {
  readonly target: TcpAddress;
  process: Process;
  readonly store: SlowStore | undefined;
  readonly #scene: SessionScene;
  readonly #side: SessionSide;
  readonly #habits: Habits;
  readonly #lots: Lots;
  /** All that were started, with whether they have stopped. */
  readonly #servers: {
    server: Server<Message, Message>;
    process: Process;
    stopped: boolean;
    stopping: boolean;
  }[] = [];
  #runs = 0;

  constructor(scene: SessionScene, target: TcpAddress, side: SessionSide) {
    this.#scene = scene;
    this.target = target;
    this.#side = side;
    this.#lots = scene.lots.fork();
    this.#habits = drawHabits(this.#lots);
    this.store = scene.pace.stored ? new SlowStore(scene) : undefined;
    this.process = this.#newProcess();
  }

  /** Comes up. */
  async start(): Promise<void> {
    const { process, store } = this;
    const { net, pace } = this.#scene;
    const transport = new TappedHost(
      new Host({ process, net, ways: NO_WAYS }),
      net,
      tapped(this.#scene, this.#lots.fork()),
    );
    const { hostname, port } = this.target;
    const server = await serve<Message, Message>({
      ...this.#side.options,
      hostname,
      port,
      transport,
      clock: process,
      resume: { window: pace.window, ...(store && { store: store.of(process) }) },
      onError: (error) =>
        process.world.violated(`${process.name} failed: ${(error as Error)?.stack ?? error}`),
    }, (connection) => this.#handle(process, connection));
    const entry = { server, process, stopped: false, stopping: false };
    this.#servers.push(entry);
    void server.closed.then(() => entry.stopped = true);
  }

  /** Whether somebody serves. */
  get up(): boolean {
    const last = this.#servers.at(-1);
    return last !== undefined && last.process === this.process && !last.stopping && !this.process.dead &&
      !this.process.away;
  }

  /** Goes down, and comes up again as another process `down` ms later. */
  fall(how: Downfall, down: number, lots: Lots): void {
    const { world, net } = this.#scene;
    const { process } = this;
    const last = this.#servers.at(-1)!;
    if (world.trace.on) world.trace.add(world.now, process.name, `goes down: ${how}`);
    last.stopping = true;
    const again = () => world.at(world.now + down, undefined, () => this.#again());
    if (how === "kill" || how === "host") {
      if (how === "host") net.down(this.target);
      process.die();
      world.at(world.now + down, undefined, () => {
        if (how === "host") net.up(this.target);
        this.#again();
      });
      return;
    }
    this.#markLeft(process);
    const timeout = lots.scale(200, 6_000);
    const retryAfter = lots.chance(0.3) ? lots.scale(10, 1_000) : 0;
    process.tell(() => {
      this.#markLeft(process);
      if (how === "abort") last.server.abort(new Error("stop"));
      else void last.server.drain({ timeout, retryAfter });
    });
    if (how === "rolling" || how === "abort") again();
    else void last.server.closed.then(again);
  }

  /** All that still run stop in good order. */
  goHome(): void {
    for (const entry of this.#servers) {
      const { process, server, stopping } = entry;
      if (process.dead || stopping) continue;
      entry.stopping = true;
      this.#markLeft(process);
      process.tell(() => {
        this.#markLeft(process);
        void server.drain({ timeout: 5_000 });
      });
    }
  }

  /** What must hold at the end. */
  check(): void {
    for (const { server, process, stopped } of this.#servers) {
      if (process.dead) continue;
      const wrong = (what: string) => process.world.violated(`${process.name} ${what}`);
      const { now, accepted, ended } = server.stats();
      if (!stopped) wrong("has not stopped");
      if (now !== 0) wrong(`counts ${now} connections after its end`);
      const sum = Object.values(ended).reduce((total, count) => total + count, 0);
      if (sum !== accepted) wrong(`accepted ${accepted} connections, and ${sum} have ended`);
      const left = [...server.connections].length;
      if (left > 0) wrong(`has ${left} sessions after its end`);
    }
  }

  /** All processes there ever were. */
  get processes(): Process[] {
    return this.#servers.map(({ process }) => process);
  }

  #handle(process: Process, connection: Connection<Message, Message>): Promise<void> | undefined {
    const { ledger, talkers, net, pace } = this.#scene;
    const route = net.route((connection.remoteAddress as TcpAddress).port).name;
    const { pieceBytes, maxOutboundBytes } = this.#side;
    const talker: Talker = new Talker(connection, {
      process,
      side: "server",
      talk: drawTalk(this.#lots, pace, true),
      pieceBytes,
      maxOutboundBytes,
      bond: () => {
        const bond = ledger.granted(route);
        bond.servers.push(talker);
        bond.atRest = undefined;
        return bond;
      },
      judge: (one, reason) => this.#judge(one, reason),
      neighbour: () => {
        const others = this.#talkersOf(process).filter((one) => one !== talker && one.reason === undefined);
        return others.length === 0 ? undefined : this.#lots.pick(others);
      },
    });
    talkers.push(talker);
    if (this.#scene.calm) talker.stop();
    return talker.begin();
  }

  #judge(talker: Talker, { code, farewell }: CloseReason): string | undefined {
    const now = talker.end.process.now();
    const { client } = talker.bond;
    switch (code) {
      case "closed":
        if (talker.left || farewell?.code === 0) return undefined;
        return "nobody has closed it";
      case "aborted":
        return talker.aborts ? undefined : "nobody has aborted it";
      case "session-lost": {
        const { window } = this.#scene.pace;
        if (talker.left || now >= talker.awaySince + window - 1) return undefined;
        return `its client has been away since ${talker.awaySince}`;
      }
      case "close-timeout":
        return this.#side.ages || now >= talker.closingAt + this.#side.closeTimeout - 1
          ? undefined
          : "too soon";
      case "write-overflow":
        return mayOverflow(talker) ? undefined : "each send was waited for";
      case "reset":
      case "heartbeat-timeout":
      case "network-failed":
      case "write-stalled":
      case "max-age":
      case "handshake-timeout":
        // Once both ends are done, or one has nothing to say and is done, the end of what carries it is the end.
        return talker.left || client === undefined || client.left ? undefined : "it should have been kept";
      default:
        return "nobody knows why";
    }
  }

  /** Notes that the server ends them. Who comes while its process is away is one of them by the time it hears of it. */
  #markLeft(process: Process): void {
    for (const talker of this.#talkersOf(process)) {
      talker.markLeft();
      talker.aborts = true;
    }
  }

  #talkersOf(process: Process): Talker[] {
    return this.#scene.talkers.filter(({ end }) => end.process === process && end.side === "server");
  }

  #again(): void {
    this.process = this.#newProcess();
    this.process.tell(() =>
      void this.start().catch((error) =>
        this.#scene.world.violated(`${this.process.name} could not start: ${error}`)
      )
    );
  }

  #newProcess(): Process {
    return new Process(`s${++this.#runs}`, this.#scene.world, this.#lots.fork(), this.#habits);
  }
}

/** Whether what this application sends may be too much. */
export function mayOverflow({ pressed, end: { talk } }: Talker): boolean {
  return pressed || talk.careless || talk.echo || talk.big > 0;
}

/** Whether a session is somewhere that a client could have found it, coming over `route`. */
export function isKept(
  scene: SessionScene,
  site: Site,
  bond: Bond,
  granting: Process,
  since: number,
): boolean {
  const { window } = scene.pace;
  const now = scene.world.now;
  // One that its application ends is not to be had any more.
  if (
    bond.servers.some(({ end, reason, left }) => end.process === granting && reason === undefined && !left)
  ) {
    return true;
  }
  const { atRest } = bond;
  if (atRest?.process === granting && now < atRest.at + window - SLACK) return true;
  const put = site.store?.since(bond.ticket);
  return put !== undefined && put < since;
}
