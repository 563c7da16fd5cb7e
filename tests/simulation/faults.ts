/**
 * What goes wrong in a run, and when, drawn from its seed.
 *
 * @module
 */

import type { Direction, Weather } from "../../lib/transport/memory.ts";
import type { Lots } from "./lots.ts";
import type { Route } from "./net.ts";
import type { LibServer, Resident, Scene } from "./peers.ts";
import type { Process } from "./process.ts";

/** Who may be hit. */
export interface Victims {
  readonly residents: readonly Resident[];
  readonly servers: readonly LibServer[];
}

/** Draws weather in which a round trip takes up to `slow` ms. */
export function drawWeather(lots: Lots, slow: number): Weather {
  if (lots.chance(0.2)) return {};
  const delay = lots.scale(1, Math.max(2, slow / 2));
  return { delay, jitter: lots.chance(0.5) ? lots.real(0, delay) : 0 };
}

const DIRECTIONS: readonly Direction[] = ["both", "both", "to-server", "to-client"];

/** Puts the faults of a run on the world's calendar. */
export function planFaults(scene: Scene, victims: Victims, interval: number): void {
  const { world, length } = scene;
  const lots = scene.lots.fork();
  for (let n = lots.chance(0.15) ? 0 : lots.int(1, 6); n > 0; n--) {
    const fault = lots.pick(FAULTS);
    // Long enough to matter, at times, and short enough not to, at others.
    const lasts = lots.scale(50, interval * 3);
    const draws = lots.fork();
    world.at(lots.real(0, length), undefined, () => fault(scene, victims, draws, lasts));
  }
}

type Fault = (scene: Scene, victims: Victims, lots: Lots, lasts: number) => void;

const onRoute = (act: (scene: Scene, route: Route, lots: Lots, lasts: number) => void): Fault =>
(
  scene,
  _,
  lots,
  lasts,
) => {
  const { living } = scene.net;
  if (living.length > 0) act(scene, lots.pick(living), lots, lasts);
};

const onProcess =
  (act: (process: Process, lots: Lots, lasts: number) => void): Fault => (_, { residents }, lots, lasts) =>
    act(lots.pick(residents).process, lots, lasts);

const onServer =
  (act: (server: LibServer, lots: Lots, lasts: number) => void): Fault => (_, { servers }, lots, lasts) => {
    const up = servers.filter((server) => server.up);
    if (up.length === 0) return;
    const server = lots.pick(up);
    // A server that is told something does it itself; one that is killed does not.
    act(server, lots, lasts);
  };

const cutOne = onRoute(({ net, world }, route, lots, lasts) => {
  net.cut(route, lots.pick(DIRECTIONS));
  if (lots.chance(0.6)) world.at(world.now + lasts, undefined, () => net.heal(route));
});

const cutAll: Fault = ({ net, world }, _, lots, lasts) => {
  net.cutAll(lots.pick(DIRECTIONS));
  world.at(world.now + lasts, undefined, () => net.healAll());
};

const shapeOne = onRoute(({ net }, route, lots, lasts) =>
  net.shape(route, drawWeather(lots, lasts), lots.pick(DIRECTIONS))
);

const shapeAll: Fault = ({ net }, _, lots, lasts) => net.shapeAll(drawWeather(lots, lasts / 4));

const reset = onRoute(({ net }, route) => net.reset(route));

const stop = onProcess((process, _, lasts) => process.leave(lasts));

const busy = onProcess((process, _, lasts) => process.busy = lasts);

const stutter: Fault = (scene, { residents }, lots, lasts) => {
  const { world } = scene;
  const { process } = lots.pick(residents);
  const gap = lots.scale(50, 5_000);
  let times = lots.int(3, 15);
  const again = () => {
    process.leave(lasts / 4);
    if (--times > 0 && !scene.over) world.at(world.now + lasts / 4 + gap, undefined, again);
  };
  again();
};

const jump: Fault = ({ world }, _, lots) => {
  wallClock.offset += lots.real(-1e9, 1e9);
  if (world.trace.on) world.trace.add(world.now, "wall clock", "jumps");
};

const restart = onServer((server, lots, lasts) => {
  const how = lots.pick(["drain", "abort", "kill", "host"]);
  const { process } = server;
  const { world } = process;
  if (world.trace.on) world.trace.add(world.now, process.name, `goes down: ${how}`);
  if (how === "drain") process.tell(() => server.drain(lots.scale(100, 10_000), lasts));
  else if (how === "abort") process.tell(() => server.abort(lasts));
  else server.kill(lasts, how === "host");
});

/** The wall clock of the machine: what `Date` tells. Nothing that counts may depend on it. */
export const wallClock = { offset: 0 };

const FAULTS: readonly Fault[] = [
  cutOne,
  cutOne,
  cutOne,
  cutAll,
  shapeOne,
  shapeOne,
  shapeAll,
  reset,
  stop,
  stop,
  busy,
  busy,
  stutter,
  jump,
  restart,
  restart,
];
