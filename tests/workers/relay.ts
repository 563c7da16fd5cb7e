/**
 * Listens for Workers, which cannot: whoever connects to one of its listeners is joined to a second connection, which the
 * Worker makes to take the call. So both ends of a test are sockets of the transport under test.
 *
 * @module
 */

import { once } from "node:events";
import net from "node:net";

/** Where a Worker finds one thing it asked for. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** Listeners, and callers of another make, as a Worker asks for them by HTTP. */
export class Relay {
  readonly #doors = new Map<number, Door>();
  readonly #strangers = new Map<number, Promise<net.Socket>>();
  readonly #cleanups: (() => unknown)[] = [];

  /** Answers a request of the Worker's. */
  async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const port = Number(searchParams.get("port"));
    switch (pathname) {
      case "/listen":
        return Response.json(await this.#listen(searchParams.get("hostname")!, port));
      case "/accept":
        return Response.json(await this.#doors.get(port)!.accept() ?? null);
      case "/close":
        this.#doors.get(port)?.close();
        return Response.json(null);
      case "/stranger":
        return Response.json(await this.#invite());
      case "/pause":
      case "/end":
      case "/resetAndDestroy": {
        const stranger = await this.#strangers.get(port)!;
        stranger[pathname.slice(1) as "pause" | "end" | "resetAndDestroy"]();
        return Response.json(null);
      }
      default:
        return new Response(`there is no ${pathname}`, { status: 404 });
    }
  }

  /** Ends all there is. */
  clear(): void {
    for (const undo of this.#cleanups.splice(0)) undo();
    this.#doors.clear();
    this.#strangers.clear();
  }

  async #listen(hostname: string, port: number): Promise<Place> {
    const server = await listening(hostname, port);
    const door = new Door(server);
    const place = placeOf(server);
    this.#doors.set(place.port, door);
    this.#cleanups.push(() => door.drop());
    return place;
  }

  /** A listener for one caller, which is a plain socket. */
  async #invite(): Promise<Place> {
    const server = await listening("127.0.0.1", 0);
    const place = placeOf(server);
    const came = once(server, "connection").then(([socket]: net.Socket[]) => {
      server.close();
      socket!.on("error", () => {}).resume();
      this.#cleanups.push(() => socket!.destroy());
      return socket!;
    });
    came.catch(() => {});
    this.#cleanups.push(() => server.close());
    this.#strangers.set(place.port, came);
    return place;
  }
}

/** One listener. */
class Door {
  readonly #server: net.Server;
  readonly #callers: net.Socket[] = [];
  readonly #sockets = new Set<net.Socket>();
  #taker: ((place: Place | undefined) => void) | undefined;
  #open = true;

  constructor(server: net.Server) {
    this.#server = server;
    server.on("connection", (caller) => {
      this.#own(caller);
      this.#callers.push(caller);
      this.#hand();
    });
  }

  /** Waits for a caller. Resolves to where the call is to be taken, or to nothing once this is closed. */
  async accept(): Promise<Place | undefined> {
    return await new Promise((resolve) => {
      this.#taker = resolve;
      this.#hand();
    });
  }

  /** Takes no more calls. */
  close(): void {
    this.#open = false;
    this.#server.close();
    this.#hand();
  }

  drop(): void {
    this.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #hand(): void {
    const taker = this.#taker;
    if (taker === undefined) return;
    const caller = this.#open ? this.#callers.shift() : undefined;
    if (caller === undefined && this.#open) return;
    this.#taker = undefined;
    if (caller === undefined) taker(undefined);
    else void this.#join(caller).then(taker);
  }

  /** Opens the place where the Worker takes the call of `caller`. */
  async #join(caller: net.Socket): Promise<Place> {
    const server = await listening("127.0.0.1", 0);
    server.once("connection", (taken) => {
      server.close();
      this.#own(taken);
      splice(caller, taken);
      splice(taken, caller);
    });
    return placeOf(server);
  }

  #own(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

/** Takes what comes from `from` to `to`: bytes no faster than they go, the end, and a reset. */
function splice(from: net.Socket, to: net.Socket): void {
  from.setNoDelay(true);
  from.on("data", (chunk) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  const lost = () => void (to.destroyed || to.resetAndDestroy());
  from.on("error", lost);
  from.on("close", () => from.readableEnded || lost());
  if (from.destroyed) lost();
  from.resume();
}

async function listening(hostname: string, port: number): Promise<net.Server> {
  // What comes before a call is taken, an end too, waits for it.
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen({ host: hostname, port });
  await once(server, "listening");
  return server;
}

function placeOf(server: net.Server): Place {
  const { address, port } = server.address() as net.AddressInfo;
  return { hostname: address, port };
}
