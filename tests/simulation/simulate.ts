/**
 * One run: a few processes on a network of their own, for a few minutes of their time, with all that the seed has in
 * store for them.
 *
 * @module
 */

import { memoryNetwork } from "../../lib/transport/memory.ts";
import type { TcpAddress } from "../../lib/transport/transport.ts";
import { drawWeather, planFaults, wallClock } from "./faults.ts";
import { Net } from "./net.ts";
import { LibClient, LibServer, Plain, type Resident, type Scene } from "./peers.ts";
import { drawDialect, drawDuty, drawPace, drawSide } from "./plan.ts";
import { MANNERS } from "./plain.ts";
import { World } from "./world.ts";

/** How a run went. */
export interface Outcome {
  readonly seed: number;
  /** The first rule that was broken; `undefined` if none was. */
  readonly violation: string | undefined;
  /** What happened, if that was asked for. */
  readonly lines: readonly string[];
  /** A number for the lines. */
  readonly hash: string;
}

/** How long everything may take to come to an end, in milliseconds of the run's time. */
const EVENING = 120_000;

let runs = 0;

/** Runs `seed`. The same seed always runs the same. */
export function simulate(seed: number, tracing = false): Promise<Outcome> {
  return run(seed, tracing, play);
}

/** Runs `seed` as `play` has it, in a world of its own. */
export async function run(
  seed: number,
  tracing: boolean,
  play: (world: World) => Promise<void>,
): Promise<Outcome> {
  const world = new World(seed, tracing);
  const restore = stopTheClocks(world);
  try {
    await play(world);
  } catch (error) {
    world.violated(`the run failed: ${error instanceof Error ? error.stack : error}`);
  } finally {
    restore();
  }
  return { seed, violation: world.violations[0], lines: world.trace.lines, hash: world.trace.hash };
}

async function play(world: World): Promise<void> {
  const { lots } = world;
  const pace = drawPace(lots);
  const splits = lots.fork();
  const network = memoryNetwork({
    clock: world.networkClock(lots.fork()),
    bufferBytes: lots.scale(2_000, 64_000),
    ...(lots.chance(0.3) && { split: (available: number) => splits.int(1, available) }),
  });
  const net = new Net(network, world);
  const scene: Scene = { world, net, lots, length: pace.length, apps: [], over: false };
  net.shapeAll(drawWeather(lots, pace.interval / 8));

  const servers: LibServer[] = [];
  const residents: Resident[] = [];
  // What is learned of a path is kept by its target for as long as this process lives: each run has targets of its own.
  const hostname = `run-${++runs}`;
  world.observe = (process) => {
    for (const { witness } of scene.apps) {
      if ((process === undefined || witness.socket.process === process) && !witness.ended) witness.step();
    }
  };
  let clients = 0;
  for (let s = lots.chance(0.75) ? 1 : 2; s > 0; s--) {
    const target: TcpAddress = { hostname, port: 1000 + s };
    const dialect = drawDialect(lots);
    const guests = lots.pick([1, 1, 2, 2, 3]);
    // Each side has to know how often the other beats.
    const duty = drawDuty(lots, pace), duties = Array.from({ length: guests }, () => drawDuty(lots, pace));
    const slowest = Math.max(...duties.map(({ sendEvery }) => sendEvery));
    const sides = duties.map((own) => drawSide(lots, pace, dialect, "client", own, Infinity, duty.sendEvery));
    if (lots.chance(0.12)) {
      const plain = new Plain(`p${target.port}`, scene, lots.pick(MANNERS), dialect);
      residents.push(plain);
      await plain.serve(target);
    } else {
      const gap = Math.min(...sides.map(({ pingGap }) => pingGap));
      const drawn = drawSide(lots, pace, dialect, "server", duty, gap, slowest);
      const server = new LibServer(scene, target, dialect, drawn);
      servers.push(server);
      residents.push(server);
      await server.start();
      if (lots.chance(0.3)) {
        const plain = new Plain(`p${++clients}`, scene, lots.pick(MANNERS), dialect);
        residents.push(plain);
        void plain.dial(target).catch(() => {});
      }
    }
    for (const side of sides) {
      const client = new LibClient(`c${++clients}`, scene, target, dialect, side);
      residents.push(client);
      void client.start();
    }
  }
  planFaults(scene, { residents, servers }, pace.interval);
  await world.run(pace.length);
  await goHome(scene, residents);
}

/** Everything comes to its end, and nothing may be left. */
async function goHome(scene: Scene, residents: readonly Resident[]): Promise<void> {
  const { world, net, apps } = scene;
  scene.over = true;
  if (world.trace.on) world.trace.add(world.now, "everyone", "goes home");
  net.healAll();
  for (const app of apps) app.stop();
  for (const resident of residents) world.at(world.now, resident.process, () => resident.goHome());
  await world.run(world.now + EVENING);
  if (world.violations.length > 0) return;
  for (const app of apps) {
    if (app.witness.socket.process.dead) continue;
    app.check();
    const { peer } = app.witness.socket;
    const other = peer?.process.dead ? undefined : apps.find(({ witness }) => witness.socket === peer);
    if (other !== undefined) app.checkAll(other);
  }
  for (const resident of residents) {
    resident.check();
    const { process } = resident;
    if (!process.dead && process.pending !== 0) {
      world.violated(`${process.name} has ${process.pending} timers left`);
    }
  }
  if (net.network.links.length > 0) {
    world.violated(`${net.network.links.length} connections are left in the network`);
  }
}

/** No part of a run may ask the machine for time or chance. Returns what puts them back. */
function stopTheClocks(world: World): () => void {
  const { now } = Date;
  const { random } = Math;
  // Runs end many connections, and nobody reads where: a stack costs more than all the rest of an end.
  const stacks = Error as { stackTraceLimit?: number };
  const { stackTraceLimit } = stacks;
  stacks.stackTraceLimit = 0;
  const started = now();
  wallClock.offset = 0;
  Date.now = () => started + wallClock.offset;
  Math.random = () => {
    world.violated("somebody drew lots that are not of the seed");
    return 0;
  };
  return () => {
    Date.now = now;
    Math.random = random;
    stacks.stackTraceLimit = stackTraceLimit!;
  };
}
