/**
 * One run of sessions: a server that may fall and rise, clients that come back to it, and a network that is cut at any byte.
 *
 * @module
 */

import { memoryNetwork } from "../../lib/transport/memory.ts";
import type { TcpAddress } from "../../lib/transport/transport.ts";
import { drawWeather } from "./faults.ts";
import { Guest, Thief } from "./guests.ts";
import { Ledger } from "./ledger.ts";
import type { Lots } from "./lots.ts";
import { Net } from "./net.ts";
import type { Process } from "./process.ts";
import { drawCut, drawSessionPace, drawSessionSide } from "./sessions_plan.ts";
import { type Outcome, run } from "./simulate.ts";
import { type Downfall, type SessionScene, Site } from "./sites.ts";
import type { Talker } from "./talker.ts";
import type { World } from "./world.ts";

/** How long all may take to come back and to deliver what was sent, and then to end, in milliseconds of the run's time. */
const CALM = 60_000;
const EVENING = 90_000;

let runs = 0;

/** Runs `seed`. The same seed always runs the same. */
export function simulateSessions(seed: number, tracing = false): Promise<Outcome> {
  return run(seed, tracing, play);
}

/** Who may be hit. */
interface Cast {
  readonly site: Site;
  readonly guests: readonly Guest[];
  readonly thieves: Thief[];
}

async function play(world: World): Promise<void> {
  const { lots } = world;
  const pace = drawSessionPace(lots);
  const splits = lots.fork();
  const network = memoryNetwork({
    clock: world.networkClock(lots.fork()),
    bufferBytes: lots.scale(pace.long ? 16_000 : 1_000, 64_000),
    ...(lots.chance(0.2) && { split: (available: number) => splits.int(1, available) }),
  });
  const net = new Net(network, world);
  const scene: SessionScene = {
    world,
    net,
    lots,
    pace,
    ledger: new Ledger(),
    talkers: [],
    perils: lots.chance(0.6) ? lots.real(0.1, 0.7) : 0,
    calm: false,
  };
  net.shapeAll(drawWeather(lots, pace.interval / 6));
  const target: TcpAddress = { hostname: `sessions-${++runs}`, port: 1000 };
  const site = new Site(scene, target, drawSessionSide(lots, pace, lots.fork()));
  await site.start();
  const guests: Guest[] = [];
  for (let n = lots.pick([1, 1, 1, 2, 2, 3]); n > 0; n--) {
    const side = drawSessionSide(lots, pace, lots.fork());
    // Two connections of one process may talk to each other.
    const home = lots.chance(0.15) ? site.process : undefined;
    const guest = new Guest(`c${guests.length + 1}`, scene, site, side, home);
    guests.push(guest);
    void guest.start();
  }
  const cast: Cast = { site, guests, thieves: [] };
  planMishaps(scene, cast);
  await world.run(pace.length);
  await calmDown(scene, cast);
  await goHome(scene, cast);
}

/** The faults end. Who is away comes back, and what was sent arrives. */
async function calmDown(scene: SessionScene, { site, guests, thieves }: Cast): Promise<void> {
  const { world, net, talkers } = scene;
  scene.calm = true;
  scene.perils = 0;
  if (world.trace.on) world.trace.add(world.now, "everyone", "calms down");
  net.healAll();
  net.shapeAll({ delay: 5 });
  for (const thief of thieves) thief.process.tell(() => thief.leave());
  for (const talker of talkers) talker.stop();
  for (const tap of scene.ledger.living) tap.cut = undefined;
  await world.run(world.now + CALM, () => site.up && talkers.every(isDone));
  const stuck = talkers.find((talker) => !isDone(talker));
  if (stuck !== undefined) stuck.wrong(stateOf(stuck));
  for (const guest of guests) guest.settle();
}

/** Whether a client has ended, or has all it should. */
function isDone(talker: Talker): boolean {
  const { end, reason, connection } = talker;
  if (reason !== undefined || end.process.dead || end.side === "server") return true;
  // Who has sent its FIN can ask nobody any more, and does not learn that a link went dark.
  if (talker.left && end.talk.parting === "finish") return true;
  const { toServer, toClient } = talker.bond;
  return connection.state === "open" && connection.bufferedAmount === 0 &&
    toServer.taken === toServer.sent && toClient.taken === toClient.sent;
}

function stateOf({ connection, bond: { toServer, toClient } }: Talker): string {
  return `does not come to rest: it is ${connection.state}, ${connection.bufferedAmount} bytes wait, ` +
    `${toServer.taken} of ${toServer.sent} messages have arrived at the server, ` +
    `${toClient.taken} of ${toClient.sent} at the client`;
}

/** Everything ends, and nothing may be left. */
async function goHome(scene: SessionScene, { site, guests }: Cast): Promise<void> {
  const { world, net, talkers } = scene;
  if (world.violations.length > 0) return;
  if (world.trace.on) world.trace.add(world.now, "everyone", "goes home");
  for (const talker of talkers) {
    const { process, side } = talker.end;
    if (side === "client") world.at(world.now, process, () => talker.leave("close"));
  }
  world.at(world.now + 1_000, undefined, () => site.goHome());
  await world.run(world.now + EVENING);
  if (world.violations.length > 0) return;
  const processes = new Set<Process>([...site.processes, ...guests.map(({ process }) => process)]);
  for (const talker of talkers) if (!talker.end.process.dead) talker.check();
  site.check();
  for (const guest of guests) if (!guest.process.dead) guest.check();
  for (const process of processes) {
    if (!process.dead && process.pending !== 0) {
      world.violated(`${process.name} has ${process.pending} timers left`);
    }
  }
  if (net.network.links.length > 0) {
    world.violated(`${net.network.links.length} connections are left in the network`);
  }
}

/** Puts what goes wrong on the world's calendar. */
function planMishaps(scene: SessionScene, cast: Cast): void {
  const { world, pace } = scene;
  const lots = scene.lots.fork();
  for (let n = lots.chance(0.1) ? 0 : lots.int(1, 7); n > 0; n--) {
    const mishap = lots.pick(MISHAPS);
    const draws = lots.fork();
    const lasts = draws.scale(20, pace.interval * 4);
    world.at(lots.real(0, pace.length), undefined, () => mishap(scene, cast, draws, lasts));
  }
}

type Mishap = (scene: SessionScene, cast: Cast, lots: Lots, lasts: number) => void;

/** A connection will be cut at one of its next bytes. */
const cutSoon: Mishap = ({ ledger, pace }, _, lots) => {
  const { living } = ledger;
  if (living.length === 0) return;
  const tap = lots.pick(living);
  tap.cut = drawCut(lots, tap.read, 400, pace.interval);
};

const reset: Mishap = ({ net }, _, lots) => {
  const { living } = net;
  if (living.length > 0) net.reset(lots.pick(living));
};

/** One way, or both, is silent for a while: what was sent arrives later, maybe after the next connection was made. */
const stall: Mishap = ({ net, world }, _, lots, lasts) => {
  const { living } = net;
  if (living.length === 0) return;
  const route = lots.pick(living);
  net.cut(route, lots.pick(["both", "to-server", "to-client"] as const));
  if (lots.chance(0.8)) world.at(world.now + lasts, undefined, () => net.heal(route));
};

const outage: Mishap = ({ net, world }, _, lots, lasts) => {
  net.cutAll(lots.pick(["both", "to-server", "to-client"] as const));
  world.at(world.now + lasts, undefined, () => net.healAll());
};

/** Longer than the window, if that is short. */
const longOutage: Mishap = ({ net, world, pace }, _, lots) => {
  net.cutAll("both");
  const lasts = Math.min(pace.length / 2, pace.window * lots.real(0.5, 2));
  world.at(world.now + lasts, undefined, () => net.healAll());
};

const weather: Mishap = ({ net }, _, lots, lasts) => net.shapeAll(drawWeather(lots, lasts / 4));

const pause: Mishap = (_, { site, guests }, lots, lasts) => {
  lots.pick([site.process, ...guests.map(({ process }) => process)]).leave(lasts);
};

const busy: Mishap = (_, { site, guests }, lots, lasts) => {
  lots.pick([site.process, ...guests.map(({ process }) => process)]).busy = lasts;
};

const fall: Mishap = (_, { site }, lots, lasts) => {
  if (site.up) {
    site.fall(lots.pick<Downfall>(["drain", "drain", "rolling", "abort", "kill", "host"]), lasts, lots);
  }
};

const theft: Mishap = (scene, { site, thieves }, lots, lasts) => {
  const bonds = [...scene.ledger.bonds].filter(({ client }) =>
    client !== undefined && client.reason === undefined
  );
  if (bonds.length === 0) return;
  const thief = new Thief(`t${thieves.length + 1}`, scene);
  thieves.push(thief);
  void thief.steal(site, lots.pick(bonds), lasts);
};

const MISHAPS: readonly Mishap[] = [
  cutSoon,
  cutSoon,
  cutSoon,
  reset,
  reset,
  stall,
  stall,
  stall,
  outage,
  longOutage,
  weather,
  pause,
  pause,
  busy,
  fall,
  fall,
  theft,
];
