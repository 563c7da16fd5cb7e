/**
 * The processes of a run that use the library: servers that start again, clients that come back.
 *
 * @module
 */

import { connect } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import type { CloseReason, ConnectionError } from "../../lib/errors.ts";
import { serve, type Server } from "../../lib/server.ts";
import type { Socket, TcpAddress } from "../../lib/transport/transport.ts";
import type { Observer } from "../../lib/observer.ts";
import { App, type AppPlan, drawApp } from "./app.ts";
import type { Dialect, Message } from "./codec.ts";
import { Host } from "./host.ts";
import type { Lots } from "./lots.ts";
import type { Net } from "./net.ts";
import type { Side } from "./plan.ts";
import { type Manner, PlainPeer, waysOf } from "./plain.ts";
import type { Habits, Process } from "./process.ts";
import { Process as NewProcess } from "./process.ts";
import { Witness } from "./witness.ts";
import type { World } from "./world.ts";

/** How late a timer of the library may be, with that of its process. */
const SLACK = 180;

/** What all peers of a run share. */
export interface Scene {
  readonly world: World;
  readonly net: Net;
  readonly lots: Lots;
  readonly length: number;
  /** Every application there ever was. */
  readonly apps: App[];
  /** Nobody comes back any more. */
  over: boolean;
}

/** Draws how a process behaves. */
export function drawHabits(lots: Lots): Habits {
  return {
    early: lots.chance(0.5) ? lots.real(0, 1) : 0,
    late: lots.chance(0.5) ? lots.real(0, 5) : 0,
    timersFirst: lots.chance(0.7),
    slowWrites: lots.chance(0.3),
  };
}

/** A process that comes up, and may go down and come up again. */
export interface Resident {
  readonly process: Process;
  /** Ends in good order, or as the end of the run demands. */
  goHome(): void;
  /** What must hold at the end. */
  check(): void;
}

/** A server of the library. */
export class LibServer implements Resident {
  readonly target: TcpAddress;
  process: Process;
  readonly #scene: Scene;
  readonly #dialect: Dialect;
  readonly #side: Side;
  readonly #habits: Habits;
  #runs = 0;
  #server: Server<Message, Message> | undefined;
  #ended: Record<string, number> = {};
  #stopsBy = Infinity;
  #stopped = false;
  #apps: App[] = [];

  constructor(scene: Scene, target: TcpAddress, dialect: Dialect, side: Side) {
    this.#scene = scene;
    this.target = target;
    this.#dialect = dialect;
    this.#side = side;
    this.#habits = drawHabits(scene.lots);
    this.process = this.#newProcess();
  }

  /** Comes up. */
  async start(): Promise<void> {
    const { process } = this;
    const { net } = this.#scene;
    this.#apps = [];
    this.#ended = {};
    this.#stopped = false;
    this.#stopsBy = Infinity;
    const observer = observe(process, (connection, reason) => {
      this.#ended[reason.code] = (this.#ended[reason.code] ?? 0) + 1;
      const app = this.#apps.find((one) => one.connection === connection);
      if (app !== undefined) ended(app, reason);
    });
    const { rules, ways, options } = this.#side;
    const transport = new Host({ process, net, ways, watch: (socket) => new Witness(socket, rules) });
    const { hostname, port } = this.target;
    const server = await serve<Message, Message>(
      { ...options, hostname, port, transport, clock: process, observer },
      (connection) => {
        const { witness } = net.route((connection.remoteAddress as TcpAddress).port).server!;
        const app = new App(
          process,
          connection,
          witness!,
          drawApp(this.#scene.lots, this.#scene.length, true),
          this.#dialect,
        );
        this.#scene.apps.push(app);
        this.#apps.push(app);
        return app.begin();
      },
    );
    this.#server = server;
    void server.closed.then(() => {
      this.#stopped = true;
      let due = this.#stopsBy;
      for (const { start, end } of process.allAbsences) if (start <= due && due < end) due = end + SLACK;
      if (process.now() > due) {
        process.world.violated(`${process.name} stopped at ${process.now()}, though it was due by ${due}`);
      }
    });
  }

  /** Stops for a while in good order, and comes back as another process. */
  drain(timeout: number, down: number): void {
    const { process } = this;
    for (const app of this.#apps) app.left = app.acts.aborts = true;
    this.#stopsBy = this.#within(timeout);
    const connections = [...this.#server!.connections].length;
    if (connections === 0) this.#stopsBy = this.#within(1);
    this.#server!.drain({ timeout }).then(() => process.after(down, () => this.#again()));
  }

  /** Stops at once. */
  abort(down: number): void {
    const { process } = this;
    for (const app of this.#apps) app.left = app.acts.aborts = true;
    this.#stopsBy = this.#within(1);
    this.#server!.abort(new Error("stop"));
    process.after(down, () => this.#again());
  }

  /** The process is killed: the kernel resets its connections. Or the whole host is gone, and nobody says so. */
  kill(down: number, host: boolean): void {
    const { net, world } = this.#scene;
    if (host) net.down(this.target);
    this.process.die();
    this.#server = undefined;
    world.at(world.now + down, undefined, () => {
      if (host) net.up(this.target);
      this.#again();
    });
  }

  /** Whether it is up. */
  get up(): boolean {
    return this.#server !== undefined && !this.process.dead && !this.process.away &&
      this.#stopsBy === Infinity;
  }

  goHome(): void {
    if (this.#server === undefined || this.#stopsBy < Infinity) return;
    for (const app of this.#apps) app.acts.aborts = true;
    this.#stopsBy = this.#within(20_000);
    void this.#server.drain({ timeout: 20_000 });
  }

  check(): void {
    if (this.#server === undefined || this.process.dead) return;
    const { ended, now, accepted } = this.#server.stats();
    const wrong = (what: string) => this.#scene.world.violated(`${this.process.name} ${what}`);
    if (!this.#stopped) wrong("has not stopped");
    if (now !== 0) wrong(`counts ${now} connections after its end`);
    if (JSON.stringify(sorted(ended)) !== JSON.stringify(sorted(this.#ended))) {
      wrong(`counts ${JSON.stringify(ended)}, its observer ${JSON.stringify(this.#ended)}`);
    }
    const sum = Object.values(ended).reduce((total, count) => total + count, 0);
    if (sum !== accepted) wrong(`accepted ${accepted} connections, and ${sum} have ended`);
  }

  #again(): void {
    if (this.#scene.over) return;
    this.process = this.#newProcess();
    this.process.tell(() =>
      void this.start().catch((error) =>
        this.#scene.world.violated(`${this.process.name} could not start: ${error}`)
      )
    );
  }

  /** The instant by which something that takes `time` at most is over. */
  #within(time: number): number {
    return this.process.now() + time + SLACK;
  }

  #newProcess(): Process {
    const { world, lots } = this.#scene;
    return newProcess(`s${this.target.port}.${++this.#runs}`, world, lots, this.#habits);
  }
}

/** A client of the library, which comes back a few times. */
export class LibClient implements Resident {
  readonly process: Process;
  readonly #scene: Scene;
  readonly #target: TcpAddress;
  readonly #dialect: Dialect;
  readonly #side: Side;
  readonly #lots: Lots;
  #app: App | undefined;
  #tries: number;

  constructor(name: string, scene: Scene, target: TcpAddress, dialect: Dialect, side: Side) {
    this.#scene = scene;
    this.#target = target;
    this.#dialect = dialect;
    this.#side = side;
    this.#lots = scene.lots.fork();
    this.#tries = this.#lots.chance(0.6) ? 1 : this.#lots.int(2, 3);
    this.process = newProcess(name, scene.world, this.#lots, drawHabits(this.#lots));
  }

  /** Connects, and connects again. */
  async start(): Promise<void> {
    const { process } = this;
    const { length } = this.#scene;
    await process.sleep(this.#lots.chance(0.5) ? 0 : this.#lots.real(0, length / 4));
    while (this.#tries-- > 0 && !this.#scene.over) {
      await this.#live(drawApp(this.#lots, length, false));
      await process.sleep(this.#lots.scale(100, length / 4));
    }
  }

  goHome(): void {
    if (this.#app === undefined || this.#app.witness.ended) return;
    this.#app.stop();
    this.#app.acts.aborts = true;
    void this.#app.connection.close();
  }

  check(): void {}

  async #live(plan: AppPlan): Promise<void> {
    const { process } = this;
    const { net } = this.#scene;
    const { rules, ways, options } = this.#side;
    const transport = new Host({ process, net, ways, watch: (socket) => new Witness(socket, rules) });
    // What an observer tells before the application is there is told to it afterwards.
    let app: App | undefined, early: CloseReason | undefined;
    const observer = observe(process, (_, reason) => app === undefined ? early = reason : ended(app, reason));
    let connection: Connection<Message, Message>;
    try {
      connection = await connect<Message, Message>(this.#target, {
        ...options,
        transport,
        clock: process,
        observer,
      });
    } catch (error) {
      const { code } = error as ConnectionError;
      if (code !== "connect-failed" && code !== "connect-timeout") {
        process.world.violated(`${process.name} could not connect: ${(error as Error).stack}`);
      }
      return;
    }
    const { witness } = net.route((connection.localAddress as TcpAddress).port).client!;
    this.#app = app = new App(process, connection, witness!, plan, this.#dialect);
    this.#scene.apps.push(app);
    if (early !== undefined) ended(app, early);
    else void app.begin();
    if (this.#scene.over) this.goHome();
    await connection.closed;
  }
}

/** A plain client, or the plain server at an address. */
export class Plain implements Resident {
  readonly process: Process;
  readonly #scene: Scene;
  readonly #manner: Manner;
  readonly #lots: Lots;
  readonly #peers: PlainPeer[] = [];
  readonly #host: Host;

  constructor(name: string, scene: Scene, manner: Manner, dialect: Dialect) {
    this.#scene = scene;
    this.#manner = manner;
    this.#lots = scene.lots.fork();
    this.process = newProcess(name, scene.world, this.#lots, drawHabits(this.#lots));
    this.#host = new Host({ process: this.process, net: scene.net, ways: waysOf(manner, dialect) });
  }

  /** Connects. */
  async dial(target: TcpAddress): Promise<void> {
    await this.process.sleep(this.#lots.real(0, this.#scene.length / 4));
    this.#take(await this.#host.connect(target));
  }

  /** Listens. */
  async serve(target: TcpAddress): Promise<void> {
    await this.#host.listen(target, { accept: (socket) => this.#take(socket) });
  }

  goHome(): void {
    for (const peer of this.#peers) peer.leave();
  }

  check(): void {}

  #take(socket: Socket): void {
    this.#peers.push(new PlainPeer(socket, this.process, this.#manner, this.#lots, this.#scene.length));
  }
}

function newProcess(name: string, world: World, lots: Lots, habits: Habits): Process {
  return new NewProcess(name, world, lots.fork(), habits);
}

/** An observer that dawdles at times, and tells of ends. */
function observe(
  process: Process,
  tell: (connection: unknown, reason: CloseReason) => void,
): Observer {
  const say = (connection: { remoteAddress: unknown }, what: string) => {
    if (!process.world.trace.on) return;
    const { port } = connection.remoteAddress as TcpAddress;
    process.world.trace.add(process.now(), process.name, `to ${port}: ${what}`);
  };
  return {
    probeSent: (connection) => say(connection, "probes"),
    suspect: (connection) => {
      say(connection, "suspects");
      process.work();
    },
    healthy: (connection) => say(connection, "is well again"),
    strike: (connection) => say(connection, "strikes"),
    paused: (connection, length) => say(connection, `was away for ${length}`),
    closed: (connection, reason) => {
      say(connection, `ended with ${reason.code} by ${reason.origin}`);
      tell(connection, reason);
    },
  };
}

function ended(app: App, reason: CloseReason): void {
  app.observed = reason;
  app.witness.judged(reason);
}

function sorted(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a], [b]) => a < b ? -1 : 1);
}
