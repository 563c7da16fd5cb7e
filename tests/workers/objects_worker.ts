/**
 * Durable Objects that hold connections over many requests, as the tests tell them. The first part of a path is the name of
 * the object, `request` for none, and the second what it is to do.
 *
 * @module
 */

import {
  connect,
  type Connection,
  ConnectionError,
  detectTransport,
  frames,
  lines,
  serve,
} from "../../mod.ts";
import { transport } from "../../lib/transport/workers.ts";
import type { Socket, TcpAddress, TlsClientOptions } from "../../lib/transport/transport.ts";
import { Log } from "../conformance/harness.ts";

/** The part of a Durable Object namespace used here. */
interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}

/** What a connection looks like from outside. */
export interface Report {
  readonly state: string;
  /** All states since the connection was made. */
  readonly states: readonly string[];
  readonly health: string;
  readonly probesSent: number;
  readonly received: readonly string[];
  /** Why it ended. */
  readonly code: string | undefined;
  readonly message: string | undefined;
}

/** How an operation failed. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly systemCode: string | undefined;
}

/** Holds one connection, and one plain socket. */
export class Holder {
  #connection: Connection<string, string | Uint8Array> | undefined;
  #socket: Log | undefined;
  #states: string[] = [];
  #received: string[] = [];

  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const operation = pathname.split("/").at(-1)!;
    try {
      return Response.json(await this.#do(operation, JSON.parse(searchParams.get("with") ?? "null")) ?? null);
    } catch (error) {
      return Response.json({ failure: failureOf(error) });
    }
  }

  async #do(operation: string, argument: unknown): Promise<unknown> {
    switch (operation) {
      case "connect":
        return await this.#open(
          argument as TcpAddress & { readonly lasting: boolean; readonly framed: boolean },
        );
      case "send":
        return await this.#connection!.send(argument as string);
      case "report":
        return this.#report();
      case "close":
        return (await this.#connection!.close(), this.#report());
      case "abort":
        return void this.#connection!.abort();
      case "detect":
        return (await detectTransport()).name;
      case "listen":
        return await transport.listen!({ hostname: "127.0.0.1", port: 0 }, { accept() {} });
      case "serve":
        return await serve({ transport, port: 0 }, () => {});
      case "dial":
        return this.#dialled(await transport.connect(...argument as Parameters<typeof transport.connect>));
      case "secure": {
        const { tls = true, ...target } = argument as TcpAddress & { readonly tls?: TlsClientOptions };
        return this.#dialled(await transport.connect(target, { tls, timeout: 5_000 }));
      }
      case "write":
        return this.#socket!.socket.write(new TextEncoder().encode(argument as string));
      case "shutdown":
        return this.#socket!.socket.shutdown();
      case "delay":
        return this.#socket!.socket.setNoDelay(argument as boolean);
      case "seen": {
        const { events, closes } = this.#socket!;
        return { events, closes, text: this.#socket!.text(), code: this.#socket!.code() };
      }
      default:
        throw new Error(`there is no ${operation}`);
    }
  }

  async #open(
    { lasting, framed, ...target }: TcpAddress & { readonly lasting: boolean; readonly framed: boolean },
  ) {
    const common = {
      transport,
      heartbeat: { interval: 200, timeout: 1_500 },
      reconnect: lasting && { initial: 50, max: 200 },
    };
    const connection = framed
      ? await connect(target, { ...common, protocol: frames(), resume: true })
      : await connect(target, { ...common, protocol: lines() });
    this.#connection = connection as Connection<string, string | Uint8Array>;
    this.#states = [];
    this.#received = [];
    this.#connection.onState = (state) => void this.#states.push(state);
    this.#connection.onMessage = (message) => void this.#received.push(message);
    return this.#report();
  }

  #dialled(socket: Socket): unknown {
    this.#socket = new Log(socket).start();
    const { localAddress, remoteAddress, tls } = socket;
    return { localAddress, remoteAddress, tls };
  }

  #report(): Report {
    const { state, health, signal } = this.#connection!;
    // Not by way of `closed`, which tells only those of the request that made the connection.
    const { code, message } = (signal.reason ?? {}) as Partial<ConnectionError>;
    const { probesSent } = this.#connection!.stats();
    const [states, received] = [this.#states, this.#received];
    return { state, states, health, probesSent, received, code, message };
  }
}

function failureOf(error: unknown): Failure {
  const { name, message } = error as Error;
  const { code, systemCode } = error instanceof ConnectionError ? error : {};
  return { name, message, code, systemCode };
}

/** What requests without an object share, which they should not. */
const shared = new Holder();

export default {
  async fetch(request: Request, env: { readonly HOLDER: Namespace }): Promise<Response> {
    const [, name = ""] = new URL(request.url).pathname.split("/");
    if (name === "request") return await shared.fetch(request);
    return await env.HOLDER.get(env.HOLDER.idFromName(name)).fetch(request);
  },
};
