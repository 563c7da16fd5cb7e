import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertRejects, assertStrictEquals } from "@std/assert";
import { detectTransport } from "../../lib/transport/detect.ts";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import { type SocketStreams, toStreams } from "../../lib/transport/streams.ts";
import type { Socket, Transport } from "../../lib/transport/transport.ts";

const MiB = 1 << 20;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Pair {
  readonly client: SocketStreams;
  readonly server: SocketStreams;
  /** What lies beneath, to look at. */
  readonly sockets: { readonly client: Socket; readonly server: Socket };
}

const transports: readonly Transport[] = [
  await detectTransport(),
  // A chunk that is not kept is overwritten by this one.
  memoryNetwork({ split: (available) => Math.min(available, 30_000) }).transport,
];

/** Declares a test on a pair of sockets, on the system's network and on one in memory. */
function check(name: string, body: (pair: Pair) => Promise<void>): void {
  for (const transport of transports) {
    test(`streams on ${transport.name}: ${name}`, { timeout: 60_000 }, async () => {
      let accept!: (socket: Socket) => void;
      const accepted = new Promise<Socket>((resolve) => accept = resolve);
      const listener = await transport.listen!({ hostname: "127.0.0.1", port: 0 }, { accept });
      const client = await transport.connect(listener.address);
      const server = await accepted;
      try {
        await body({ client: toStreams(client), server: toStreams(server), sockets: { client, server } });
      } finally {
        client.abort();
        server.abort();
        await listener.close();
      }
    });
  }
}

async function readAll(readable: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const reader = readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
  }
  const all = new Uint8Array(chunks.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

async function readText(readable: ReadableStream<Uint8Array>): Promise<string> {
  return new TextDecoder().decode(await readAll(readable));
}

function numbers(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i ^ (i >> 8) * 31 ^ (i >> 16) * 131) & 0xff;
  return bytes;
}

check("pipeTo answers with all that came, in order", async ({ client, server }) => {
  const sent = numbers(8 * MiB);
  const piping = server.readable.pipeTo(server.writable);
  const writer = client.writable.getWriter();
  const writing = (async () => {
    for (let at = 0; at < sent.length; at += 300_000) await writer.write(sent.slice(at, at + 300_000));
    await writer.close();
  })();
  const received = await readAll(client.readable);
  assertEquals(received.length, sent.length);
  assert(received.every((byte, i) => byte === sent[i]), "bytes were changed");
  await Promise.all([writing, piping, client.closed, server.closed]);
});

check("chunks belong to whoever reads them", async ({ client, server }) => {
  const writer = client.writable.getWriter();
  const reader = server.readable.getReader();
  const chunks: Uint8Array[] = [];
  for (let i = 1; i <= 20; i++) {
    await writer.write(new Uint8Array(i * 100).fill(i));
    for (let size = 0; size < i * 100;) {
      const { value } = await reader.read();
      size += value!.length;
      chunks.push(value!);
    }
  }
  let sum = 0;
  for (const chunk of chunks) for (const byte of chunk) sum += byte;
  let expected = 0;
  for (let i = 1; i <= 20; i++) expected += i * i * 100;
  assertEquals(sum, expected);
});

check("an unread stream holds the peer back", async ({ client, server, sockets }) => {
  const writer = client.writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (; written < 24; written++) await writer.write(new Uint8Array(MiB));
    await writer.close();
  })();
  await pass(300);
  const before = written;
  assert(before < 20, `${before} MiB were taken though nobody reads`);
  await pass(200);
  assertEquals(written, before);
  assertGreater(sockets.client.bufferedAmount, 0);
  const received = await readAll(server.readable);
  assertEquals(received.length, 24 * MiB);
  await writing;
});

check("a write settles only when its bytes are with the kernel", async ({ client, server, sockets }) => {
  const bytes = numbers(16 * MiB);
  const writer = client.writable.getWriter();
  let settled = false;
  const writing = writer.write(bytes).then(() => {
    settled = true;
    assertEquals(sockets.client.bufferedAmount, 0);
    bytes.fill(0); // Now they are ours again.
  });
  await pass(200);
  assertEquals(settled, false);
  const reading = readAll(server.readable);
  await writing;
  await writer.close();
  const received = await reading;
  const expected = numbers(16 * MiB);
  assert(received.every((byte, i) => byte === expected[i]), "bytes changed under way");
});

check("closing writable half-closes", async ({ client, server }) => {
  const writer = client.writable.getWriter();
  await writer.write(bytesOf("question"));
  await writer.close();
  assertEquals(await readText(server.readable), "question");
  await pass(30);
  const answer = server.writable.getWriter();
  await answer.write(bytesOf("answer"));
  await answer.close();
  assertEquals(await readText(client.readable), "answer");
  await Promise.all([client.closed, server.closed]);
});

check("the peer's reset reaches both streams and closed", async ({ server, sockets }) => {
  const reading = assertRejects(() => server.readable.getReader().read());
  const writer = server.writable.getWriter();
  await pass(20);
  // On Deno an abort is no reset: bytes left unread make it one as soon as the peer goes on.
  sockets.server.write(new Uint8Array(16 * MiB));
  sockets.client.pause();
  await pass(50);
  sockets.client.abort();
  const error = await assertRejects(() => server.closed) as Error & { code: string };
  assert(["ECONNRESET", "EPIPE"].includes(error.code), error.message);
  await assertRejects(() => writer.write(bytesOf("x")));
  await assertRejects(() => writer.closed);
  if (transports[0]!.capabilities.reset) assertStrictEquals(await reading, error);
  else reading.catch(() => {});
});

check("a write that waits is rejected when the socket is lost", async ({ client, server, sockets }) => {
  const writer = server.writable.getWriter();
  writer.closed.catch(() => {});
  sockets.client.pause();
  const writing = assertRejects(() => writer.write(new Uint8Array(16 * MiB)));
  await pass(50);
  sockets.client.abort();
  await writing;
  await assertRejects(() => server.closed);
  await client.closed;
});

check("aborting writable drops the socket, for its reason", async ({ client, server }) => {
  const reason = new Error("changed my mind");
  const reader = client.readable.getReader();
  const reading = assertRejects(() => reader.read());
  await client.writable.abort(reason);
  assertStrictEquals(await reading, reason);
  await client.closed;
  const read = await server.readable.getReader().read().catch(() => ({ done: true }));
  assertEquals(read.done, true);
});

check("cancelling readable lets the writing go on, and what arrives fall", async ({ client, server }) => {
  const writer = server.writable.getWriter();
  const flood = (async () => {
    for (let i = 0; i < 16; i++) await writer.write(new Uint8Array(MiB));
    await writer.close();
  })();
  await pass(50);
  await client.readable.cancel("enough");
  const answer = client.writable.getWriter();
  await answer.write(bytesOf("enough"));
  await answer.close();
  assertEquals(await readText(server.readable), "enough");
  await flood;
  await Promise.all([client.closed, server.closed]);
});

check("close drops the socket: readable ends, writable errors", async ({ client, server }) => {
  const reason = new Error("done");
  const reader = client.readable.getReader();
  const reading = reader.read();
  const writer = client.writable.getWriter();
  const closing = client.close(reason);
  assertStrictEquals(closing, client.closed);
  assertStrictEquals(client.close(), client.closed);
  await closing;
  const { done, value } = await reading;
  assertEquals([done, value], [true, undefined]);
  assertStrictEquals(await assertRejects(() => writer.closed), reason);
  assertStrictEquals(await assertRejects(() => writer.write(bytesOf("x"))), reason);
  const read = await server.readable.getReader().read().catch(() => ({ done: true }));
  assertEquals(read.done, true);
});

check("close after an orderly end does nothing", async ({ client, server }) => {
  await Promise.all([client.writable.close(), server.writable.close()]);
  assertEquals(await readText(client.readable), "");
  await Promise.all([client.closed, server.closed]);
  await client.close(new Error("too late"));
  await client.writable.getWriter().closed;
});

check("any kind of bytes can be written", async ({ client, server }) => {
  const writer = client.writable.getWriter() as WritableStreamDefaultWriter<unknown>;
  const { buffer } = Uint8Array.from(bytesOf("abcdef"));
  await writer.write(buffer);
  await writer.write(new DataView(buffer, 1, 2));
  await writer.write(new Uint8Array(buffer, 4));
  await writer.close();
  assertEquals(await readText(server.readable), "abcdefbcef");
});

check("anything else is the writer's mistake, and drops the socket", async ({ client, server }) => {
  const writer = client.writable.getWriter() as WritableStreamDefaultWriter<unknown>;
  writer.closed.catch(() => {});
  const error = await assertRejects(
    () => writer.write("text"),
    TypeError,
    `Cannot write to a socket as a chunk must be bytes: current value is text`,
  );
  assertStrictEquals(await assertRejects(() => client.readable.getReader().read()), error);
  await client.closed;
  await server.readable.getReader().read().catch(() => {});
});

check("opened has both addresses as text", async ({ client, server }) => {
  const [at, peer] = [await client.opened, await server.opened];
  assertEquals([at.localAddress, at.remoteAddress], [peer.remoteAddress, peer.localAddress]);
  assert(/^127\.0\.0\.1:\d+$/.test(at.localAddress), at.localAddress);
});
