/**
 * Sockets within one process, on a network that can be slow, cut or broken: for tests and simulations.
 *
 * All of it runs on one {@linkcode Clock}, and every lot is drawn from it: the same clock gives the same run. Tests of your
 * own are better served by `testNetwork` of `./testing`, which brings such a clock along.
 *
 * @example A network on the system's clock, with 20 ms each way
 * ```ts
 * import { connect, lines, serve } from "@holdfast/holdfast";
 * import { memoryNetwork } from "@holdfast/holdfast/memory";
 * import { ok } from "node:assert/strict";
 *
 * const { transport, shape } = memoryNetwork();
 * shape({ delay: 20 });
 * const where = { hostname: "server.test", port: 7 };
 * await using server = await serve({ ...where, transport, protocol: lines() }, (connection) => {
 *   connection.onMessage = (line) => connection.send(line);
 * });
 * await using connection = await connect(where, { transport, protocol: lines() });
 * ok(await connection.probe() >= 40);
 * ```
 *
 * @module
 */

import { type Clock, systemClock, type WakeUp } from "../time/clock.ts";
import { connectFailed, connectTimedOut, describe, listenFailed } from "./failure.ts";
import { type Direction, type Faults, Link, type MemoryLink } from "./memory_link.ts";
import { Schedule } from "./memory_schedule.ts";
import { type Kernel, MemorySocket } from "./memory_socket.ts";
import { checkConnect, checkListen } from "./options.ts";
import type {
  Address,
  Capabilities,
  ConnectOptions,
  Listener,
  ListenOptions,
  Socket,
  Target,
  Transport,
} from "./transport.ts";

export type { Direction, Faults, MemoryLink, Weather } from "./memory_link.ts";

/** How a memory network is made. */
export interface MemoryNetworkOptions {
  /** Where all of its time and chance comes from. @default the system's, by which packets hold the process */
  readonly clock?: Clock | undefined;
  /**
   * Bytes that the kernels of both ends take in one direction before the sender is held back.
   *
   * @default {262_144}
   */
  readonly bufferBytes?: number | undefined;
  /**
   * Says how many of `available` bytes the next chunk has, so that a test can split what was sent together.
   *
   * @default {(available) => available}
   */
  readonly split?: ((available: number) => number) | undefined;
}

/**
 * A network within one process. Its faults work on all connections, those to come included, and on what is being
 * dialled; with {@linkcode to}, only on those to one address.
 */
export interface MemoryNetwork extends Faults {
  /** Opens sockets and listeners on this network, which reach no other. */
  readonly transport: Transport;
  /** The connections there are, oldest first. */
  readonly links: readonly MemoryLink[];
  /** The same faults for connections to `target` alone. Its `heal` does not end a cut of the whole network. */
  to(target: Target): Faults;
}

/** A fault that connections to come will have too: those with a key to one address, the others all. */
interface Rule {
  readonly kind: "cut" | "shape";
  readonly key: string | undefined;
  readonly direction: Direction;
  apply(link: Link): void;
}

/**
 * Creates a network of its own.
 *
 * @example A cut is silence, not an end
 * ```ts ignore
 * const { transport, cut, heal } = memoryNetwork({ clock });
 * ```
 */
export function memoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  const { clock = holdingClock, bufferBytes = 256 * 1024, split = (available) => available } = options;
  if (!(bufferBytes > 0)) {
    throw new RangeError(
      `Cannot create a network as "bufferBytes" must be > 0: current value is ${bufferBytes}`,
    );
  }
  const network = new Network(clock, bufferBytes, split);
  return {
    transport: network,
    get links() {
      return [...network.links];
    },
    to: (target) => network.faults(target),
    ...network.faults(undefined),
  };
}

/** The system's clock, except that what is under way keeps the process alive, as it does on a real network. */
const holdingClock: Clock = {
  ...systemClock,
  wakeAfter(delay, wake) {
    const timer = setTimeout(wake, delay);
    return { cancel: () => clearTimeout(timer) };
  },
};

class Network implements Transport {
  readonly name = "memory";
  readonly capabilities: Capabilities = {
    tcpKeepAlive: false,
    tcpKeepAliveDelay: false,
    reusePort: false,
    backlog: true, // Nobody ever waits to be accepted.
    reset: true,
    unix: true,
  };
  readonly links = new Set<Link>();
  readonly #schedule: Schedule;
  readonly #kernel: Kernel;
  readonly #listeners = new Map<string, ListenOptions>();
  #rules: Rule[] = [];
  #nextPort = 49_152;

  constructor(clock: Clock, bufferBytes: number, split: Kernel["split"]) {
    this.#schedule = new Schedule(clock);
    this.#kernel = { transport: this, schedule: this.#schedule, bufferBytes, split };
  }

  async connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    checkConnect(this, target, options);
    const { signal, timeout = 5_000 } = options;
    signal?.throwIfAborted();
    return await new Promise<Socket>((resolve, reject) => {
      let client: MemorySocket | undefined;
      let waiting = true;
      let timer: WakeUp | undefined;
      const link = this.#link(target);
      const settle = () => {
        waiting = false;
        timer?.cancel();
        signal?.removeEventListener("abort", aborted);
      };
      const giveUp = (reason: unknown) => {
        settle();
        reject(reason);
        if (client) client.abort();
        else this.links.delete(link);
      };
      const aborted = () => giveUp(signal!.reason);
      signal?.addEventListener("abort", aborted);
      if (timeout !== Infinity) {
        const at = this.#schedule.clock.now() + timeout;
        timer = this.#schedule.at(at, () => giveUp(connectTimedOut(target, timeout)));
      }
      link.broken = () => waiting && giveUp(connectFailed(target, systemError("ECONNRESET")));
      link.toServer.send(() => {
        if (!waiting) return;
        const listener = this.#listeners.get(keyOf(target));
        if (listener === undefined) {
          const cause = systemError("path" in target ? "ENOENT" : "ECONNREFUSED");
          return link.toClient.send(() => waiting && giveUp(connectFailed(target, cause)));
        }
        const server = this.#pair(link, (made) => client = made);
        link.toClient.send(() => {
          if (!waiting) return;
          settle();
          resolve(client!);
        });
        accept(server, listener);
      });
    });
  }

  async listen(target: Target, options: ListenOptions): Promise<Listener> {
    checkListen(this, target, options);
    const address = "path" in target
      ? { path: target.path }
      : { hostname: hostOf(target.hostname), port: target.port || this.#nextPort++ };
    const key = keyOf(address);
    if (this.#listeners.has(key)) throw listenFailed(target, systemError("EADDRINUSE"));
    this.#listeners.set(key, options);
    return {
      address,
      close: () => {
        if (this.#listeners.get(key) === options) this.#listeners.delete(key);
        return Promise.resolve();
      },
      ref() {},
      unref() {},
    };
  }

  /** What can be done to the connections to `target`, or to all. */
  faults(target: Target | undefined): Faults {
    const key = target && keyOf(target);
    const each = (apply: (link: Link) => void) => {
      for (const link of this.links) if (key === undefined || keyOf(link.target) === key) apply(link);
    };
    const forget = (kind: Rule["kind"], direction: Direction) => {
      this.#rules = this.#rules.filter((rule) =>
        rule.kind !== kind || (key !== undefined && rule.key !== key) ||
        (direction !== "both" && rule.direction !== direction)
      );
    };
    const rule = (kind: Rule["kind"], direction: Direction, apply: (link: Link) => void) => {
      forget(kind, direction);
      this.#rules.push({ kind, key, direction, apply });
      each(apply);
    };
    return {
      cut: (direction = "both") => rule("cut", direction, (link) => link.cut(direction)),
      shape: (weather, direction = "both") => {
        rule("shape", direction, (link) => link.shape(weather, direction));
      },
      heal() {
        forget("cut", "both");
        each((link) => link.heal());
      },
      reset: () => each((link) => link.reset()),
    };
  }

  #link(target: Target): Link {
    const client = "path" in target ? { path: "" } : { hostname: "127.0.0.1", port: this.#nextPort++ };
    const remote = "path" in target ? target : { hostname: hostOf(target.hostname), port: target.port };
    const link = new Link(this.#schedule, remote, client);
    const key = keyOf(remote);
    for (const rule of this.#rules) if (rule.key === undefined || rule.key === key) rule.apply(link);
    this.links.add(link);
    return link;
  }

  /** Makes both ends of `link`. Returns that of the server. */
  #pair(link: Link, made: (client: MemorySocket) => void): MemorySocket {
    let ends = 2;
    const freed = () => void (--ends === 0 && this.links.delete(link));
    const { client: local, target: remote, toServer, toClient } = link;
    const client = new MemorySocket(this.#kernel, local, remote, toServer, freed);
    const server = new MemorySocket(this.#kernel, remote, local, toClient, freed);
    client.peer = server;
    server.peer = client;
    const giveUp = link.broken;
    link.broken = () => {
      giveUp();
      client.lost();
      server.lost();
    };
    made(client);
    return server;
  }
}

function accept(socket: Socket, { accept, failed }: ListenOptions): void {
  try {
    accept(socket);
  } catch (error) {
    socket.abort();
    failed?.(error);
  }
}

/** What an address is found by. */
function keyOf(address: Address): string {
  return "path" in address ? address.path : describe({ ...address, hostname: hostOf(address.hostname) });
}

function hostOf(hostname: string): string {
  return hostname === "localhost" ? "127.0.0.1" : hostname;
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
