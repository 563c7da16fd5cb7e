/**
 * The clients of a soak: those who stay, those who come and go, and those with sessions that are cut.
 *
 * @module
 */

import { connect, type Connection, frames, type Socket, type Transport } from "../../mod.ts";
import { pause } from "../../tests/support/processes.ts";
import { SESSION_HEARTBEAT, STEADY_HEARTBEAT } from "./setting.ts";

type AnyConnection = Connection<Uint8Array | string>;

/** How long an answer may take before it counts as lost, in milliseconds. */
const PATIENCE = 30_000;

/** What all clients have seen. */
export const seen = {
  messages: 0,
  /** Messages that came twice, and messages that did not come when they were due. */
  doubled: 0,
  lost: 0,
  /** Connections that ended although nobody had done anything to them, by the reason. */
  killed: {} as Record<string, number>,
  churned: 0,
  cuts: 0,
};

/** Whether those who come and go do so, and whether sessions are cut. */
export const weather = { rough: false, over: false };

/** Checks that answers are 1, 2, 3… */
class Counter {
  last = 0;

  take(message: unknown): void {
    const number = Number(message);
    seen.messages++;
    if (number <= this.last) seen.doubled++;
    else if (number > this.last + 1) seen.lost += number - this.last - 1;
    this.last = Math.max(this.last, number);
  }

  async reached(number: number, patience = PATIENCE): Promise<boolean> {
    for (const until = performance.now() + patience; this.last < number;) {
      if (performance.now() > until) return false;
      await pause(50);
    }
    return true;
  }
}

const killed = (code: string) => seen.killed[code] = (seen.killed[code] ?? 0) + 1;

async function dial(port: number): Promise<AnyConnection> {
  return await connect({ hostname: "127.0.0.1", port }, {
    protocol: frames(),
    heartbeat: STEADY_HEARTBEAT,
    timeout: 30_000,
    handshakeTimeout: 30_000,
  });
}

/** A client who stays, and says something now and then. */
export class SteadyClient {
  readonly #connection: AnyConnection;
  readonly #counter = new Counter();
  #sent = 0;
  #leaving = false;

  private constructor(connection: AnyConnection) {
    this.#connection = connection;
    connection.onMessage = (message) => this.#counter.take(message);
    void connection.closed.then(({ code }) => {
      if (!this.#leaving) killed(code);
    });
  }

  static async open(port: number): Promise<SteadyClient> {
    return new SteadyClient(await dial(port));
  }

  say(): void {
    void this.#connection.send(String(++this.#sent)).catch(() => {});
  }

  /** Waits for all answers, and goes. */
  async leave(): Promise<void> {
    if (this.#connection.state === "open" && !await this.#counter.reached(this.#sent)) {
      seen.lost += this.#sent - this.#counter.last;
    }
    this.#leaving = true;
    await this.#connection.close();
  }
}

/** A client who comes, says something, and goes, again and again. */
export async function churn(port: number): Promise<void> {
  while (!weather.over) {
    if (!weather.rough) {
      await pause(100);
      continue;
    }
    let connection: AnyConnection;
    try {
      connection = await dial(port);
    } catch (error) {
      killed(`not let in: ${(error as { code: string }).code}`);
      await pause(1_000);
      continue;
    }
    const counter = new Counter();
    connection.onMessage = (message) => counter.take(message);
    for (let i = 1; i <= 5; i++) void connection.send(String(i)).catch(() => {});
    if (!await counter.reached(5)) seen.lost += 5 - counter.last;
    await pause(Math.random() * 1_000);
    await connection.close();
    const { code } = await connection.closed;
    if (code !== "closed") killed(code);
    seen.churned++;
  }
}

/** Tells which socket was dialled last. */
function watched(transport: Transport, dialled: (socket: Socket) => void): Transport {
  return {
    name: transport.name,
    capabilities: transport.capabilities,
    async connect(target, options) {
      const socket = await transport.connect(target, options);
      dialled(socket);
      return socket;
    },
  };
}

/** A client with a session, of which nothing may be lost however it is cut. */
export class LastingClient {
  readonly #id: number;
  readonly #counter = new Counter();
  #socket: Socket | undefined;
  #connection!: AnyConnection;
  #sent = 0;
  #leaving = false;

  private constructor(id: number) {
    this.#id = id;
  }

  static async open(id: number, port: number, transport: Transport): Promise<LastingClient> {
    const client = new LastingClient(id);
    const connection = client.#connection = await connect({ hostname: "127.0.0.1", port }, {
      protocol: frames(),
      heartbeat: SESSION_HEARTBEAT,
      timeout: 30_000,
      handshakeTimeout: 5_000,
      closeTimeout: 20_000,
      resume: true,
      reconnect: { initial: 100, max: 2_000, stableAfter: 500 },
      transport: watched(transport, (socket) => client.#socket = socket),
    });
    connection.onMessage = (message) => client.#counter.take(message);
    void connection.closed.then(({ code }) => {
      if (!client.#leaving) killed(`session: ${code}`);
    });
    return client;
  }

  say(): void {
    void this.#connection.send(`${this.#id}:${++this.#sent}`).catch(() => {});
  }

  /** Cuts the connection below the session: with a reset, or with an end that nobody announced. */
  cut(): void {
    if (this.#connection.state !== "open") return;
    seen.cuts++;
    if (Math.random() < 0.5) this.#socket?.abort();
    else this.#socket?.shutdown();
  }

  /** Says a last word, waits for all answers, and goes. */
  async leave(): Promise<void> {
    // What a server that was drained still owes comes with the answer to this.
    this.say();
    if (!await this.#counter.reached(this.#sent)) seen.lost += this.#sent - this.#counter.last;
    this.#leaving = true;
    await this.#connection.close();
  }
}
