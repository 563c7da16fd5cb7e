/**
 * The network of a run, and what is known of each connection's two ways: what may have held bytes up, and for how
 * long.
 *
 * @module
 */

import type { Direction, MemoryLink, MemoryNetwork, Weather } from "../../lib/transport/memory.ts";
import type { Target, TcpAddress } from "../../lib/transport/transport.ts";
import type { HostSocket } from "./host.ts";
import type { World } from "./world.ts";

/** What is known of one way of a connection. */
export class Way {
  /** Nothing arrives. */
  cut = false;
  /** When that last ended. */
  healedAt = -Infinity;
  /** How long packets take at most, by the weather of now. */
  delay: number;
  /** Until when packets of earlier, slower weather may be on their way. */
  slowUntil = -Infinity;

  constructor({ delay = 0, jitter = 0 }: Weather) {
    this.delay = delay + jitter;
  }

  /** From when on nothing holds packets up but the weather of now; `Infinity` while it is cut. */
  get clearSince(): number {
    return this.cut ? Infinity : Math.max(this.healedAt, this.slowUntil);
  }

  shape(now: number, { delay = 0, jitter = 0 }: Weather): void {
    this.slowUntil = Math.max(this.slowUntil, now + this.delay);
    this.delay = delay + jitter;
  }

  heal(now: number): void {
    // What waited sets out again, in the weather of now.
    if (this.cut) this.healedAt = now;
    this.cut = false;
  }
}

/** One connection. */
export class Route {
  readonly name: string;
  readonly link: MemoryLink;
  readonly toServer: Way;
  readonly toClient: Way;
  /** Its ends. */
  client: HostSocket | undefined;
  server: HostSocket | undefined;
  /** The network has reset it. */
  wasReset = false;
  /** When it was first heard of. */
  readonly openedAt: number;

  constructor(name: string, link: MemoryLink, weather: Weather, now: number) {
    this.name = name;
    this.openedAt = now;
    this.link = link;
    this.toServer = new Way(weather);
    this.toClient = new Way(weather);
  }

  ways(direction: Direction): Way[] {
    if (direction === "both") return [this.toServer, this.toClient];
    return [direction === "to-server" ? this.toServer : this.toClient];
  }
}

/** The network, with its faults written down. */
export class Net {
  readonly network: MemoryNetwork;
  readonly #world: World;
  readonly #routes: Route[] = [];
  readonly #byPort = new Map<number, Route>();
  #weather: Weather = {};
  /** The first port that the network deals out: names of routes are counted from it. */
  #cut: Direction[] = [];
  #down: number[] = [];

  constructor(network: MemoryNetwork, world: World) {
    this.network = network;
    this.#world = world;
  }

  /** The connections there ever were, oldest first. */
  get routes(): readonly Route[] {
    return this.#routes;
  }

  /** Those that may still be faulted. */
  get living(): Route[] {
    return this.#routes.filter(({ client, server }) =>
      (client !== undefined && client.droppedAt === Infinity) ||
      (server !== undefined && server.droppedAt === Infinity)
    );
  }

  /** The connection whose client has this port. */
  route(port: number): Route {
    let route = this.#byPort.get(port);
    if (route === undefined) {
      const link = this.network.links.find(({ client }) => (client as TcpAddress).port === port)!;
      route = new Route(`#${this.#routes.length + 1}`, link, this.#weather, this.#world.now);
      const target = (link.target as TcpAddress).port;
      for (const direction of this.#cut) for (const way of route.ways(direction)) way.cut = true;
      if (this.#down.includes(target)) { for (const way of route.ways("both")) way.cut = true; }
      this.#byPort.set(port, route);
      this.#routes.push(route);
    }
    return route;
  }

  /** Weather for all, those to come included. */
  shapeAll(weather: Weather): void {
    this.#weather = weather;
    this.network.shape(weather);
    for (const route of this.#routes) {
      for (const way of route.ways("both")) way.shape(this.#world.now, weather);
    }
    this.#say("net", `weather ${told(weather)}`);
  }

  shape(route: Route, weather: Weather, direction: Direction): void {
    route.link.shape(weather, direction);
    for (const way of route.ways(direction)) way.shape(this.#world.now, weather);
    this.#say(route.name, `weather ${told(weather)} ${direction}`);
  }

  cut(route: Route, direction: Direction): void {
    route.link.cut(direction);
    for (const way of route.ways(direction)) way.cut = true;
    this.#say(route.name, `cut ${direction}`);
  }

  heal(route: Route): void {
    route.link.heal();
    for (const way of route.ways("both")) way.heal(this.#world.now);
    this.#say(route.name, "healed");
  }

  cutAll(direction: Direction): void {
    this.network.cut(direction);
    this.#cut.push(direction);
    for (const route of this.#routes) for (const way of route.ways(direction)) way.cut = true;
    this.#say("net", `cut ${direction}`);
  }

  /** Ends every cut. */
  healAll(): void {
    this.network.heal();
    this.#cut = [];
    for (const route of this.#routes) for (const way of route.ways("both")) way.heal(this.#world.now);
    this.#say("net", "healed");
  }

  /** The host of a server is gone: what goes there or comes from there is lost in the dark until {@linkcode up}. */
  down(target: Target): void {
    const { port } = target as TcpAddress;
    this.network.to(target).cut();
    this.#down.push(port);
    for (const route of this.#to(port)) for (const way of route.ways("both")) way.cut = true;
    this.#say("net", `host of ${port} down`);
  }

  up(target: Target): void {
    const { port } = target as TcpAddress;
    this.network.to(target).heal();
    this.#down = this.#down.filter((one) => one !== port);
    for (const route of this.#to(port)) for (const way of route.ways("both")) way.heal(this.#world.now);
    this.#say("net", `host of ${port} up`);
  }

  reset(route: Route): void {
    route.wasReset = true;
    this.#say(route.name, "reset");
    route.link.reset();
  }

  #to(port: number): Route[] {
    return this.#routes.filter(({ link }) => (link.target as TcpAddress).port === port);
  }

  #say(who: string, what: string): void {
    if (this.#world.trace.on) this.#world.trace.add(this.#world.now, who, what);
  }
}

function told({ delay = 0, jitter = 0 }: Weather): string {
  return `${Math.round(delay)}+${Math.round(jitter)}`;
}
