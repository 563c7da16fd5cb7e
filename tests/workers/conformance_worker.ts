/**
 * A Worker that runs the conformance suite on its own transport. Each test is a request of its own, so that whatever one
 * leaves behind ends with it.
 *
 * @module
 */

import { testData } from "../conformance/data.ts";
import { testDialling } from "../conformance/dialling.ts";
import { testEndings } from "../conformance/endings.ts";
import type { Bench, Suite } from "../conformance/harness.ts";
import { testLimits } from "../conformance/limits.ts";
import { testOpening } from "../conformance/opening.ts";
import { testSystem } from "../conformance/system.ts";
import { checkListen } from "../../lib/transport/options.ts";
import { transport as workers } from "../../lib/transport/workers.ts";
import type {
  Listener,
  ListenOptions,
  Socket,
  TcpAddress,
  Transport,
} from "../../lib/transport/transport.ts";
import { CANNOT } from "./cannot.ts";
import { declared } from "./collector.ts";

/** What the Worker is given. */
interface Env {
  readonly DESK: { fetch(url: string): Promise<Response> };
}

/** The desk of the request that is being answered. One at a time is. */
let desk: Env["DESK"];

async function ask<T>(what: string, parameters: Readonly<Record<string, string | number>> = {}): Promise<T> {
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const answer = await desk.fetch(`http://desk/${what}?${query.join("&")}`);
  if (answer.status !== 200) throw new Error(`${what}: ${await answer.text()}`);
  return await answer.json() as T;
}

/** The transport under test, with listeners that the relay lends it. */
const transport: Transport = {
  name: workers.name,
  capabilities: workers.capabilities,
  connect: (target, options) => workers.connect(target, options),
  async listen(target, options) {
    checkListen(workers, target, options);
    const address = await ask<TcpAddress>("listen", { ...target as TcpAddress });
    void take(address, options);
    return new RelayListener(address);
  },
};

/** Takes the calls of one listener, as long as it is open. */
async function take(address: TcpAddress, options: ListenOptions): Promise<void> {
  for (;;) {
    const place = await ask<TcpAddress | null>("accept", { port: address.port });
    if (place === null) return;
    const socket = await workers.connect(place, { timeout: 60_000 });
    options.accept(Object.defineProperty(socket, "localAddress", { value: address }));
  }
}

/** A listener of the relay's. */
class RelayListener implements Listener {
  readonly address: TcpAddress;

  constructor(address: TcpAddress) {
    this.address = address;
  }

  async close(): Promise<void> {
    await ask("close", { port: this.address.port });
  }

  ref(): void {}

  unref(): void {}
}

/** A caller over Node's own sockets, outside. */
async function call(bench: Bench) {
  const place = await ask<TcpAddress>("stranger");
  const socket: Socket = await bench.connect(place);
  const tell = (what: string) => () => void ask(what, { port: place.port });
  return {
    stranger: { pause: tell("pause"), end: tell("end"), reset: tell("resetAndDestroy") },
    socket,
  };
}

const suite: Suite = {
  transport,
  ...{ label: "workers", kind: "tcp", resets: transport.capabilities.reset, secured: false },
  cannot: CANNOT,
  call,
  blackHole: async () => ({ target: await ask<TcpAddress>("black-hole"), close: async () => {} }),
};
for (const part of [testOpening, testDialling, testSystem, testData, testEndings, testLimits]) part(suite);

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    desk = env.DESK;
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/list") return Response.json(declared.map(({ name, skip }) => ({ name, skip })));
    const { body } = declared.find(({ name }) => name === searchParams.get("name"))!;
    try {
      await body();
      return Response.json(null);
    } catch (error) {
      return new Response(error instanceof Error ? error.stack ?? String(error) : String(error), {
        status: 500,
      });
    }
  },
};
