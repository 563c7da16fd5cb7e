/**
 * Clients with sessions that exchange numbered messages with a server while their connections are cut.
 *
 * @module
 */

import { performance } from "node:perf_hooks";
import { connect, type Connection, frames } from "../../mod.ts";
import { seeded } from "../../lib/testing/seeded.ts";
import { pause } from "../../tests/support/processes.ts";
import { type Runtime, startServer } from "./child.ts";
import { type Cut, CUTS, Relay } from "./relay.ts";
import { HEARTBEAT, padding, type ServerReport, Tally } from "./tally.ts";

/** How much of a storm it is to be. */
export interface StormOptions {
  readonly clients: number;
  /** Messages that each client sends, and gets. */
  readonly messages: number;
  /** How often each client's connection is cut. */
  readonly cuts: number;
  /** How often the server is drained into a store meanwhile, and another takes over. */
  readonly restarts: number;
  readonly seed: number;
  readonly runtime: Runtime;
  /** How long it may take, in milliseconds. */
  readonly limit: number;
}

/** What came of it. */
export interface StormReport {
  /** Messages that were to be sent, both ways together. */
  readonly expected: number;
  /** Those that were: fewer, if the time was over before. */
  readonly sent: number;
  readonly lost: number;
  readonly twice: number;
  readonly disordered: number;
  readonly cuts: Readonly<Record<Cut, number>>;
  /** Connections that were made. */
  readonly connections: number;
  readonly seconds: number;
  /** How connections ended, at both ends. */
  readonly ends: Readonly<Record<string, number>>;
}

type Message = Uint8Array | string;

class Client {
  readonly #id: number;
  readonly #options: StormOptions;
  readonly #random: () => number;
  readonly tally = new Tally();
  readonly cuts: Record<Cut, number> = { "reset": 0, "end": 0, "black hole": 0 };
  #done = 0;
  /** Messages that it sent. */
  sent = 0;
  #connection!: Connection<Message, Message>;
  #relay!: Relay;
  end = "";
  #over = false;

  constructor(id: number, options: StormOptions) {
    this.#id = id;
    this.#options = options;
    this.#random = seeded(options.seed * 1_000 + id);
  }

  get connections(): number {
    return this.#relay.connections;
  }

  get progress(): number {
    return this.#done;
  }

  /** Talks, is cut, and closes in the end. */
  async run(port: number, until: number): Promise<void> {
    this.#relay = await Relay.open(port);
    const connection = this.#connection = await connect({ hostname: "127.0.0.1", port: this.#relay.port }, {
      protocol: frames(),
      heartbeat: HEARTBEAT,
      resume: true,
      timeout: 1_000,
      handshakeTimeout: 1_000,
      closeTimeout: 20_000,
      reconnect: {
        initial: 20,
        max: 250,
        stableAfter: 100,
        whenSuspect: this.#id % 2 === 0,
        waitForFirst: true,
      },
    });
    connection.onMessage = (message) => this.tally.take(Number.parseInt(`${message}`));
    void connection.closed.then(({ code }) => {
      this.end = code;
      this.#over = true;
    });
    await Promise.all([this.#send(until), this.#cut(until)]);
    const { messages } = this.#options;
    while (this.tally.count < messages && !this.#over && performance.now() < until) await pause(20);
    if (!this.#over) await Promise.race([connection.flush().catch(() => {}), pause(20_000)]);
    await connection.close();
    this.#relay.close();
  }

  /** As many messages for each cut, so that some are under way in each of them. */
  async #send(until: number): Promise<void> {
    const { messages, cuts } = this.#options;
    for (let number = 1; number <= messages && performance.now() < until && !this.#over; number++) {
      while (number > messages * (this.#done + 1) / (cuts + 1) + 1 && performance.now() < until) {
        await pause(5);
      }
      this.sent = number;
      void this.#connection.send(`${this.#id}:${number}:${padding(this.#random)}`);
      if (this.#random() < 0.5) await pause(this.#random() * 20);
    }
  }

  async #cut(until: number): Promise<void> {
    while (this.#done < this.#options.cuts && performance.now() < until && !this.#over) {
      await pause(this.#random() * 200);
      const how = CUTS[Math.floor(this.#random() * CUTS.length)]!;
      const bytes = this.#random() < 0.5 ? 0 : Math.ceil(this.#random() * 40);
      if (this.#connection.state !== "open" || !this.#relay.cut(how, bytes)) continue;
      this.cuts[how]++;
      this.#done++;
    }
  }
}

/** Runs a storm. `say` is told how far it is, now and then. */
export async function storm(
  options: StormOptions,
  say: (progress: string) => void = () => {},
): Promise<StormReport> {
  const { server, port } = await startServer(options.runtime, { resume: true });
  const start = performance.now(), until = start + options.limit;
  const clients = Array.from({ length: options.clients }, (_, i) => new Client(i + 1, options));
  const running = Promise.all(clients.map((client) => client.run(port, until)));
  const progress = () => clients.reduce((sum, { progress }) => sum + progress, 0);
  const all = options.clients * options.cuts;
  const ticker = setInterval(() => say(`${progress()} of ${all} cuts`), 5_000);
  try {
    for (let i = 1; i <= options.restarts; i++) {
      while (progress() < all * i / (options.restarts + 1) && performance.now() < until) await pause(20);
      server.tell("restart");
      await server.told();
      say("the server was drained, and another took over");
    }
    await running;
    server.tell("report");
    const far = await server.told<ServerReport>();
    return reportOf(options, clients, far, (performance.now() - start) / 1_000);
  } finally {
    clearInterval(ticker);
    server.kill("SIGKILL");
    await server.ended();
  }
}

function reportOf(
  { clients: wanted, messages }: StormOptions,
  clients: readonly Client[],
  far: ServerReport,
  seconds: number,
): StormReport {
  const near = new Tally();
  const ends: Record<string, number> = {};
  const cuts: Record<Cut, number> = { "reset": 0, "end": 0, "black hole": 0 };
  let connections = 0;
  for (const client of clients) {
    near.add(client.tally);
    ends[`client ${client.end}`] = (ends[`client ${client.end}`] ?? 0) + 1;
    for (const how of CUTS) cuts[how] += client.cuts[how];
    connections += client.connections;
  }
  for (const [code, count] of Object.entries(far.ends)) ends[`server ${code}`] = count;
  const sent = far.sent + clients.reduce((sum, { sent }) => sum + sent, 0);
  return {
    expected: 2 * wanted * messages,
    sent,
    lost: sent - near.count - far.count,
    twice: near.twice + far.twice,
    disordered: near.disordered + far.disordered,
    cuts,
    connections,
    seconds,
    ends,
  };
}
