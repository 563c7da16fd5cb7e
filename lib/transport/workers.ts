/**
 * TCP and TLS on Cloudflare Workers, over `connect()` of `cloudflare:sockets`. For clients only: a Worker cannot listen.
 *
 * It is given to `connect`, as no other entry point knows of `cloudflare:sockets`. A connection belongs to the request or
 * the Durable Object that opened it, and ends with it; no other one can use it. So what is to last belongs into a
 * Durable Object:
 *
 * ```ts ignore
 * import { connect, type Connection, lines } from "@holdfast/holdfast";
 * import { transport } from "@holdfast/holdfast/workers";
 *
 * export class Link {
 *   readonly #env: { readonly HOST: string; readonly PORT: string };
 *   #connection: Promise<Connection<string, string>> | undefined;
 *
 *   constructor(_state: unknown, env: { readonly HOST: string; readonly PORT: string }) {
 *     this.#env = env;
 *   }
 *
 *   async fetch(request: Request): Promise<Response> {
 *     const connection = await (this.#connection ??= this.#open());
 *     await connection.send(await request.text());
 *     for await (const line of connection) return new Response(line);
 *     return new Response((await connection.closed).code, { status: 502 });
 *   }
 *
 *   #open(): Promise<Connection<string, string>> {
 *     const target = { hostname: this.#env.HOST, port: Number(this.#env.PORT) };
 *     const heartbeat = { interval: 10_000, timeout: 5_000 };
 *     return connect(target, { transport, protocol: lines(), heartbeat, reconnect: { waitForFirst: true } });
 *   }
 * }
 * ```
 *
 * What a Worker cannot do is refused with a `TypeError`: Unix sockets, `tcpKeepAlive`, `tcpNoDelay: false`, and of TLS all but
 * the defaults. What it does differently:
 *
 * - No address is known but the one that was dialled, as it was given.
 * - An aborted socket ends with FIN, after at most 16 KiB that the runtime has already. If the peer takes no more,
 *   the connection stays with the runtime until it does, or until the request or Durable Object is over.
 * - A dial that was given up goes on within the runtime until the system gives up too.
 * - A reset is not noticed while the socket is paused and what the peer sent has not been read.
 *
 * @module
 */

import { systemClock } from "../time/clock.ts";
import type { Clock } from "../time/clock.ts";
import { dial } from "./dial.ts";
import { checkConnect } from "./options.ts";
import type {
  Capabilities,
  ConnectOptions,
  Listener,
  Socket,
  Target,
  TcpAddress,
  TlsClientOptions,
  TlsInfo,
  Transport,
} from "./transport.ts";
import { type RawSocket, refuseDelay, WorkersSocket } from "./workers_socket.ts";

/** The part of `cloudflare:sockets` used here. */
interface Sockets {
  connect(
    address: { readonly hostname: string; readonly port: number },
    options: { readonly secureTransport: "on" | "off"; readonly allowHalfOpen: true },
  ): RawSocket;
}

/**
 * Not written into the `import()` itself: bundlers leave alone what they cannot read, and Deno's and TypeScript's graphs of
 * this package stay complete where there is no such module.
 */
const SOCKETS: string = "cloudflare:sockets";

/** Options of TLS that `connect()` of `cloudflare:sockets` has nothing for. */
const REFUSED = ["ca", "certificate", "key", "alpnProtocols"] as const;

/** TCP on Cloudflare Workers. */
class WorkersTransport implements Transport {
  readonly name = "workers";
  readonly capabilities: Capabilities = {
    tcpKeepAlive: false,
    tcpKeepAliveDelay: false,
    reusePort: false,
    backlog: false,
    reset: false,
    unix: false,
    tls: {
      clientCertificate: false,
      serverNames: false,
      replaceCertificate: false,
      halfClose: true,
      truncation: true,
    },
  };

  async connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    checkConnect(this, target, options);
    // The checks have refused the path of a Unix socket.
    const { hostname, port } = target as TcpAddress;
    if (options.tcpNoDelay === false) refuseDelay("connect");
    const tls = options.tls && secured(hostname, options.tls);
    options.signal?.throwIfAborted();
    // Asked for each time, as a promise of another request must not be waited for.
    const { connect } = await sockets();
    return await dial(target, options, async () => {
      const raw = connect(
        { hostname: hostname.includes(":") ? `[${hostname}]` : hostname, port },
        { secureTransport: tls === undefined ? "off" : "on", allowHalfOpen: true },
      );
      raw.closed.catch(() => {}); // What goes wrong, `opened` tells.
      await raw.opened;
      return new WorkersSocket(this, raw, { hostname, port }, tls);
    }, (late) => late.abort());
  }

  listen(): Promise<Listener> {
    return Promise.reject(
      new TypeError(
        `Cannot listen as transport "workers" is for connect() only: ` +
          `use serve() on Deno, Bun or Node, and let the Worker connect to it`,
      ),
    );
  }

  newClock(): Clock {
    return { ...systemClock };
  }
}

/**
 * What TLS's handshake will have brought. The runtime itself tells nothing.
 *
 * @throws {TypeError} If an option was set that it cannot honour.
 */
function secured(hostname: string, options: TlsClientOptions | true): TlsInfo {
  const { serverName = hostname, insecure = false, ...rest }: TlsClientOptions = options === true
    ? {}
    : options;
  const refused = REFUSED.find((name) => rest[name] !== undefined) ?? (insecure ? "insecure" : undefined);
  if (refused !== undefined) {
    throw new TypeError(
      `Cannot connect as transport "workers" cannot honour "tls.${refused}": on Workers TLS has no options`,
    );
  }
  if (serverName !== hostname) {
    throw new TypeError(
      `Cannot connect as transport "workers" cannot honour "tls.serverName" other than the target's host name: ` +
        `current value is "${serverName}"`,
    );
  }
  return {
    protocol: undefined,
    alpnProtocol: undefined,
    serverName: /:|^[\d.]+$/.test(hostname) ? undefined : hostname,
    authorized: true,
    peerCertificate: undefined,
  };
}

/** @throws {TypeError} Where there is no such module. */
async function sockets(): Promise<Sockets> {
  try {
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ SOCKETS);
  } catch (cause) {
    throw new TypeError(
      `Cannot connect as transport "workers" needs "${SOCKETS}", which only Cloudflare Workers have: ` +
        `leave "transport" out on Deno, Bun and Node`,
      { cause },
    );
  }
}

/** TCP and TLS on Cloudflare Workers, for clients. */
export const transport: Transport = new WorkersTransport();
