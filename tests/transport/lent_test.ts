/**
 * What one socket lends may be written to another, also one of another kind, and leaves as it was however long it waits.
 *
 * @module
 */

import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { detectTransport } from "../../lib/transport/detect.ts";
import { lend, owned } from "../../lib/transport/lent.ts";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import { transport as node } from "../../lib/transport/node.ts";
import type { ConnectOptions, ListenOptions, Socket, Transport } from "../../lib/transport/transport.ts";
import { certificates } from "../support/certificates.ts";

/** A pair of sockets, of which what the first is given arrives at the second. */
interface Way {
  readonly from: Socket;
  readonly to: Socket;
  close(): Promise<void>;
}

/** Opens a pair of `transport`. What is `accepted` comes from the listener; otherwise it goes there. */
async function open(
  transport: Transport,
  options: {
    readonly listen?: Partial<ListenOptions>;
    readonly connect?: ConnectOptions;
    readonly accepted?: boolean;
  } = {},
): Promise<Way> {
  let resolve!: (socket: Socket) => void;
  const accepted = new Promise<Socket>((done) => resolve = done);
  const listener = await transport.listen!({ hostname: "127.0.0.1", port: 0 }, {
    ...options.listen,
    accept: resolve,
  });
  const client = await transport.connect(listener.address, options.connect);
  const server = await accepted;
  return {
    from: options.accepted ? server : client,
    to: options.accepted ? client : server,
    async close() {
      for (const socket of [client, server]) socket.abort();
      await listener.close();
    },
  };
}

/** What goes through: more than the kernel takes, and no two pieces of it are alike. */
const BYTES = Uint8Array.from({ length: 24 << 20 }, (_, at) => at * 7 + (at >> 8) * 13 + (at >> 16) * 31);
const TOTAL = BYTES.length;

/** Starts a socket that only takes, or only gives. */
function start(socket: Socket, data: (chunk: Uint8Array) => void = () => {}): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.start({
      data,
      written() {},
      end() {},
      close: (error) => error === undefined ? resolve() : reject(error),
    })
  );
}

/** Sends bytes by `front`, from whose end they go on by `back`, whose end reads nothing at first. */
async function forward(front: Way, back: Way): Promise<void> {
  let at = 0, wrong = -1;
  const ends = [
    start(front.from),
    start(front.to, (chunk) => void back.from.write(chunk)),
    start(back.from),
    start(back.to, (chunk) => {
      for (let i = 0; i < chunk.length && wrong < 0; i++) if (chunk[i] !== BYTES[at + i]) wrong = at + i;
      at += chunk.length;
    }),
  ];
  for (const end of ends) end.catch(() => {});
  back.to.pause();
  for (let sent = 0; sent < TOTAL; sent += 50_000) {
    front.from.write(BYTES.slice(sent, sent + 50_000));
    await sleep(1);
  }
  for (const end = performance.now() + 10_000; back.from.bufferedAmount < 1 << 20; await sleep(5)) {
    assert(performance.now() < end, "nothing waits");
  }
  back.to.resume();
  for (const end = performance.now() + 20_000; at < TOTAL && wrong < 0; await sleep(5)) {
    assert(performance.now() < end, `only ${at} bytes have come`);
  }
  assertEquals([wrong, at], [-1, TOTAL]);
}

const native = await detectTransport();
const tls = async (): Promise<{ listen: Partial<ListenOptions>; connect: ConnectOptions }> => {
  const { authority, server: { certificate, key } } = await certificates();
  return {
    listen: { tls: { certificate, key } },
    connect: { tls: { ca: authority.certificate, serverName: "localhost" } },
  };
};

const WAYS: Readonly<Record<string, () => Promise<Way>>> = {
  native: () => open(native),
  // On Bun the accepted ones are of another kind.
  "native, accepted": () => open(native, { accepted: true }),
  memory: () => open(memoryNetwork().transport),
  "node:net": () => open(node),
  TLS: async () => open(native, await tls()),
  "TLS of a caller that was looked at first": async () => {
    const { listen, connect } = await tls();
    const beforeTls: ListenOptions["beforeTls"] = (socket, secure) => secure(socket);
    return await open(native, { listen: { ...listen, beforeTls }, connect, accepted: true });
  },
};

for (const [lends, front] of Object.entries(WAYS)) {
  for (const [takes, back] of Object.entries(WAYS)) {
    // What is the same is tested elsewhere, and TLS lends nothing that is used again.
    if (lends === takes || lends.startsWith("TLS")) continue;
    test(`what is lent by ${lends} goes on by ${takes} as it was`, { timeout: 60_000 }, async () => {
      const ways = [await front(), await back()] as const;
      try {
        await forward(...ways);
      } finally {
        for (const way of ways) await way.close();
      }
    });
  }
}

test("owned() copies what is lent just now, and nothing else", () => {
  const memory = new Uint8Array(10), part = memory.subarray(2, 5), other = new Uint8Array(3);
  assertStrictEquals(owned(part), part);
  assertStrictEquals(lend(memory), undefined);
  const copy = owned(part);
  assertNotStrictEquals(copy.buffer, memory.buffer);
  assertEquals(copy, part);
  assertStrictEquals(owned(other), other);
  assertStrictEquals(lend(undefined), memory);
  assertStrictEquals(owned(part), part);
});
