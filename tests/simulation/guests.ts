/**
 * Who comes to a site: clients that come back, and somebody who has got hold of a ticket.
 *
 * @module
 */

import { connect } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import type { CloseReason } from "../../lib/errors.ts";
import { frames } from "../../lib/protocol/frames.ts";
import type { Wire } from "../../lib/protocol/protocol.ts";
import type { ReconnectOptions } from "../../lib/session/reconnect_options.ts";
import type { Socket, SocketHandler, TcpAddress } from "../../lib/transport/transport.ts";
import type { Message } from "./codec.ts";
import { Host } from "./host.ts";
import type { Bond } from "./ledger.ts";
import type { Lots } from "./lots.ts";
import { drawHabits } from "./peers.ts";
import { Process } from "./process.ts";
import { drawReconnect, fillFrom, type SessionSide } from "./sessions_plan.ts";
import { isKept, mayOverflow, NO_WAYS, type SessionScene, type Site, tapped } from "./sites.ts";
import { drawTalk, Talker } from "./talker.ts";
import { TappedHost } from "./tap.ts";

/** A client of the library, which comes back by itself; and a few times with another session. */
export class Guest {
  readonly process: Process;
  readonly #scene: SessionScene;
  readonly #site: Site;
  readonly #side: SessionSide;
  readonly #reconnect: ReconnectOptions;
  readonly #lots: Lots;
  readonly #host: TappedHost;
  #tries: number;
  #talker: Talker | undefined;
  #controller: AbortController | undefined;
  /** Has `connect()` been called, and not settled. */
  #dials = false;

  /** @param home Lives in this process instead of one of its own. */
  constructor(name: string, scene: SessionScene, site: Site, side: SessionSide, home: Process | undefined) {
    const lots = this.#lots = scene.lots.fork();
    this.#scene = scene;
    this.#site = site;
    this.#side = side;
    this.#reconnect = drawReconnect(lots);
    this.#tries = lots.chance(0.7) ? 1 : 2;
    const process = home ?? new Process(name, scene.world, lots.fork(), drawHabits(lots));
    this.process = process;
    const { net } = scene;
    this.#host = new TappedHost(new Host({ process, net, ways: NO_WAYS }), net, tapped(scene, lots.fork()));
  }

  get talker(): Talker | undefined {
    return this.#talker;
  }

  /** Connects, and connects again when that has ended. */
  async start(): Promise<void> {
    const { length } = this.#scene.pace;
    await this.process.sleep(this.#lots.chance(0.6) ? 0 : this.#lots.real(0, length / 3));
    while (this.#tries-- > 0 && !this.#scene.calm) {
      await this.#live();
      await this.process.sleep(this.#lots.scale(10, length / 4));
    }
  }

  /** Comes back no more, and waits no more for a first connection. */
  settle(): void {
    this.#tries = 0;
    if (this.#dials) this.#controller!.abort(new Error("too late"));
  }

  /** What must hold at the end. */
  check(): void {
    if (this.#dials) this.process.world.violated(`${this.process.name} still waits for its first connection`);
  }

  async #live(): Promise<void> {
    const { process } = this;
    const { ledger, net, talkers, pace } = this.#scene;
    const { signal } = this.#controller = new AbortController();
    let connection: Connection<Message, Message>;
    this.#dials = true;
    try {
      connection = await connect<Message, Message>(this.#site.target, {
        ...this.#side.options,
        timeout: this.#lots.scale(300, 2_000),
        transport: this.#host,
        clock: process,
        resume: true,
        reconnect: this.#reconnect,
        signal,
      });
    } catch (error) {
      this.#dials = false;
      const { code, name } = error as CloseReason;
      if (process.world.trace.on) this.#say(`could not connect: ${code}`);
      if (error === signal.reason) return;
      if (name !== "ConnectionError" || code === "protocol-error") {
        process.world.violated(`${process.name} could not connect: ${(error as Error).stack ?? error}`);
      }
      return;
    }
    this.#dials = false;
    const route = net.route((connection.localAddress as TcpAddress).port).name;
    const { pieceBytes, maxOutboundBytes } = this.#side;
    const talker: Talker = this.#talker = new Talker(connection, {
      process,
      side: "client",
      talk: drawTalk(this.#lots, pace, false),
      pieceBytes,
      maxOutboundBytes,
      bond: () => {
        const bond = ledger.granted(route);
        bond.client = talker;
        return bond;
      },
      judge: (one, reason) => this.#judge(one, reason),
      neighbour: () => undefined,
    });
    talkers.push(talker);
    // The session is known: its server has greeted.
    void talker.bond;
    if (this.#scene.calm) talker.stop();
    if (talker.reason === undefined && connection.state !== "closed") void talker.begin();
    await connection.closed;
  }

  #judge(talker: Talker, { code, farewell }: CloseReason): string | undefined {
    const now = this.process.now();
    const { bond } = talker;
    const served = bond.servers.some(({ left }) => left);
    switch (code) {
      case "closed":
        return talker.left || (farewell?.code === 0 && served) ? undefined : "nobody has closed it";
      case "aborted":
        return talker.aborts ? undefined : "nobody has aborted it";
      case "session-lost": {
        const route = this.#scene.net.routes.filter(({ client }) => client?.process === this.process).at(-1)!;
        const granting = route.server!.process;
        const kept = isKept(this.#scene, this.#site, bond, granting, route.openedAt);
        return kept ? "the server has it still" : undefined;
      }
      case "superseded":
        return bond.stolen ? undefined : "nobody else has come with its ticket";
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
        return talker.left || served ? undefined : "it should have come back";
      default:
        return "nobody knows why";
    }
  }

  #say(what: string): void {
    this.process.world.trace.add(this.process.now(), this.process.name, what);
  }
}

/** Comes with the ticket of somebody else, as the copy of a process would. It takes what comes, and says nothing. */
export class Thief {
  readonly process: Process;
  readonly #scene: SessionScene;
  readonly #host: Host;
  readonly #fills: Lots;
  #socket: Socket | undefined;

  constructor(name: string, scene: SessionScene) {
    const lots = scene.lots.fork();
    this.#scene = scene;
    this.#fills = lots.fork();
    this.process = new Process(name, scene.world, lots.fork(), drawHabits(lots));
    this.#host = new Host({ process: this.process, net: scene.net, ways: NO_WAYS });
  }

  /** Takes over the session of `bond`, for `stay` ms. */
  async steal(site: { readonly target: TcpAddress }, bond: Bond, stay: number): Promise<void> {
    const { ledger, net } = this.#scene;
    const route = net.routes.find(({ name }) => ledger.tap(name, "server")?.grant?.ticket === bond.ticket);
    const { id, secret } = ledger.tap(route!.name, "server")!.grant!;
    let socket: Socket;
    try {
      socket = this.#socket = await this.#host.connect(site.target, { timeout: 500 });
    } catch {
      return;
    }
    bond.stolen = true;
    const { process } = this;
    if (process.world.trace.on) {
      process.world.trace.add(process.now(), process.name, `comes for session ${bond.serial}`);
    }
    const wire = frames({ fillRandom: fillFrom(this.#fills) }).open("client") as Wire<Message, Message>;
    socket.start(new Mute(wire, socket));
    const session = { resumed: true, ticket: { id, secret }, received: bond.toClient.taken, window: 0 };
    socket.write(wire.greet!({ sendEvery: 0, hearEvery: 0, minPingGap: 0, session }));
    process.after(stay, () => this.leave());
  }

  /** Is gone without a word. */
  leave(): void {
    this.#socket?.abort();
    this.#socket = undefined;
  }
}

/** Reads frames, and answers pings. */
class Mute implements SocketHandler {
  readonly #wire: Wire<Message, Message>;
  readonly #socket: Socket;

  constructor(wire: Wire<Message, Message>, socket: Socket) {
    this.#wire = wire;
    this.#socket = socket;
  }

  data(chunk: Uint8Array): void {
    this.#wire.receive(chunk, {
      message() {},
      ping: (payload) => void this.#socket.write(this.#wire.pong!(payload)),
      pong() {},
      hello() {},
      acked() {},
      draining() {},
      farewell: () => this.#socket.shutdown(),
    });
  }

  written(): void {}

  end(): void {
    this.#socket.shutdown();
  }

  close(): void {}
}
