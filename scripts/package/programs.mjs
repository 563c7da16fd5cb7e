/**
 * The programs of the package's users, as texts: they stand in projects of their own, where the package is known by
 * its name alone.
 *
 * @module
 */

/** @typedef {import("./manifest.mjs").Entry} Entry */

/** Uses what every runtime has. `all` holds the modules by the names of their entry points. */
const USE = `
async function use(all, expected) {
  const { connect, ConnectionError, detectTransport, frames, lines, raw, serve } = all["."];
  const check = (right, what) => {
    if (!right) throw new Error(what);
  };
  const { name } = await detectTransport();
  check(name === expected, "it runs on " + name + ", not on " + expected);
  check(all["./" + name].transport === await detectTransport(), "the transport is there twice");

  // Lines, with the transport that is found.
  const server = await serve({ hostname: "127.0.0.1", port: 0, protocol: lines() }, (connection) => {
    connection.onMessage = (line) => connection.send(line.toUpperCase());
  });
  const connection = await connect(server.address, { protocol: lines() });
  await connection.send("hello");
  const { value } = await connection[Symbol.asyncIterator]().next();
  check(value === "HELLO", "it answered " + value);
  connection.close();
  const { code } = await connection.closed;
  check(code === "closed", "it ended with " + code);
  await server.drain();
  const error = await connect(server.address).catch((error) => error);
  check(error instanceof ConnectionError && error.code === "connect-failed", "it said " + error);

  // Bytes, with the transport that is given.
  const { transport } = all["./" + name];
  const echo = await serve({ transport, port: 0, protocol: raw({ token: "beat" }) }, (connection) => {
    connection.onMessage = (bytes) => connection.send(bytes);
  });
  const client = await connect(echo.address, { transport, protocol: raw() });
  await client.send("bytes");
  const answer = await client[Symbol.asyncIterator]().next();
  check(new TextDecoder().decode(answer.value) === "bytes", "the bytes were changed");
  client.abort();
  await echo.drain();

  // Frames: text stays text, and bytes stay bytes.
  const framed = await serve({ port: 0, protocol: frames() }, (connection) => {
    connection.onMessage = (message) => connection.send(message);
  });
  const sender = await connect(framed.address, { protocol: frames() });
  const messages = sender[Symbol.asyncIterator]();
  await sender.send("text");
  check((await messages.next()).value === "text", "text is not what came back");
  await sender.send(new Uint8Array(100000).fill(7));
  const back = (await messages.next()).value;
  check(back.length === 100000 && back.every((byte) => byte === 7), "the frame was changed");
  sender.abort();
  await framed.drain();

  // An hour on a network of our own.
  const { clock, transport: fake } = all["./testing"].testNetwork({ delay: 10 });
  const where = { hostname: "server.test", port: 1 };
  await serve({ ...where, transport: fake, clock, protocol: lines() }, (connection) => {
    connection.onMessage = () => {};
  });
  const lasting = await clock.until(connect(where, { transport: fake, clock, protocol: lines() }));
  await clock.run(3600000);
  check(lasting.state === "open" && clock.now() >= 3600000, "it did not last");
}
`;

/** Prints, as one line of JSON, the names that each entry point has when it runs. */
const TELL = `
console.log(JSON.stringify(Object.fromEntries(
  Object.entries(all).map(([name, module]) => [name, Object.keys(module).filter((key) => key !== "default").sort()]),
)));
`;

/**
 * @param {Entry[]} entries
 * @param {string} specifier what the root is imported by
 * @param {string} runtime where it runs: `"node"`, `"deno"` or `"bun"`
 */
export function esmProgram(entries, specifier, runtime) {
  const imports = entries.map(({ name }, index) =>
    `import * as entry${index} from "${specifier}${name.slice(1)}";\n`
  );
  const all = entries.map(({ name }, index) => `"${name}": entry${index}`);
  return `${imports.join("")}${USE}
const all = { ${all.join(", ")} };
await use(all, "${runtime}");
${TELL}`;
}

/**
 * @param {Entry[]} entries
 * @param {string} specifier
 * @param {string} runtime
 */
export function cjsProgram(entries, specifier, runtime) {
  const all = entries.map(({ name }) => `"${name}": require("${specifier}${name.slice(1)}")`);
  return `${USE}
const all = { ${all.join(", ")} };
use(all, "${runtime}").then(() => {${TELL}}, (error) => {
  console.error(error);
  process.exitCode = 1;
});
`;
}

/**
 * ESM and CommonJS in one process: two copies of the package that have to get on.
 *
 * @param {string} specifier
 */
export function mixedProgram(specifier) {
  return `import { createRequire } from "node:module";
import * as esm from "${specifier}";
const cjs = createRequire(import.meta.url)("${specifier}");
const server = await esm.serve({ port: 0, protocol: esm.lines() }, (connection) => {
  connection.onMessage = (line) => connection.send(line.toUpperCase());
});
const connection = await cjs.connect(server.address, { protocol: cjs.lines() });
await connection.send("both");
const { value } = await connection[Symbol.asyncIterator]().next();
if (value !== "BOTH") throw new Error("it answered " + value);
await connection.close();
await server.drain();
`;
}

/**
 * Uses the types as a strict user does. What must not be accepted is there too: types that are lost are \`any\`, which
 * accepts everything.
 *
 * @param {string} specifier
 */
export function typedProgram(specifier) {
  return `import {
  type CloseReason,
  connect,
  type Connection,
  ConnectionError,
  frames,
  type FramesOptions,
  lines,
  type LinesOptions,
  raw,
  serve,
  type ServeOptions,
  type Server,
  type Transport,
} from "${specifier}";
import { transport as bun } from "${specifier}/bun";
import { transport as deno } from "${specifier}/deno";
import { type MemoryNetwork, memoryNetwork } from "${specifier}/memory";
import { transport as node } from "${specifier}/node";
import { transport as workers } from "${specifier}/workers";
import { FakeClock, testNetwork, type TestNetwork } from "${specifier}/testing";

const transports: readonly Transport[] = [
  ...[bun, deno, node, workers],
  ...[memoryNetwork().transport, testNetwork().transport],
];
const options: LinesOptions = { ping: "PING", maxLineBytes: 1_000 };

export async function run(): Promise<CloseReason> {
  const shared: ServeOptions<string, string> = { port: 0, protocol: lines(options), transport: transports[0] };
  const server: Server<string, string> = await serve(shared, async (connection) => {
    for await (const line of connection) await connection.send(line.toUpperCase());
  });
  const connection: Connection<string, string> = await connect(server.address, { protocol: lines(), clock: new FakeClock() });
  connection.onMessage = (line) => void line.length.toFixed();
  const bytes: Connection<Uint8Array, Uint8Array | string> = await connect(server.address, { protocol: raw() });
  bytes.abort(new ConnectionError("aborted", "enough"));
  const reason = await connection.closed;
  const framing: FramesOptions = {};
  const framed = await connect(server.address, { protocol: frames(framing) });
  framed.onMessage = (message) => void (typeof message === "string" ? message.length : message.byteLength);
  // @ts-expect-error: it takes lines.
  await connection.send(1);
  // @ts-expect-error: there is no such option.
  await serve({ prot: 1 }, () => {});
  // @ts-expect-error: no such code.
  if (reason.code === "no-such-code") throw reason;
  return reason;
}

export const networks = (one: TestNetwork, other: MemoryNetwork): void => {
  one.stall("server");
  // @ts-expect-error: only a test network can do that.
  other.stall("server");
};
`;
}

/**
 * A worker whose test is the root in use, over sockets within the worker.
 *
 * @param {string} root path of the root's module
 * @param {string} memory path of that of \`./memory\`
 * @param {string} workers path of that of \`./workers\`
 */
export function workerProgram(root, memory, workers) {
  return `import { connect, detectTransport, frames, lines, raw, serve } from "${root}";
import { memoryNetwork } from "${memory}";
import { transport as workers } from "${workers}";

const check = (right, what) => {
  if (!right) throw new Error(what);
};

export default {
  async test() {
    check(typeof raw().open === "function", "raw() is no protocol");
    const error = await detectTransport().catch((error) => error);
    check(error instanceof TypeError && error.message.includes("/workers"), "it found a transport: " + error);

    // Nobody is there; but it got as far as to look.
    const nobody = await connect({ hostname: "127.0.0.1", port: 1 }, { transport: workers }).catch((error) => error);
    check(nobody.code === "connect-failed", "it said " + nobody);

    const { transport, cut } = memoryNetwork();
    const target = { hostname: "localhost", port: 1 };
    const heartbeat = { interval: 30, timeout: 500 };
    const shared = { ...target, transport, protocol: lines(), heartbeat: false, minPingGap: 0 };
    const server = await serve(shared, (connection) => {
      connection.onMessage = (line) => connection.send(line.toUpperCase());
    });
    const connection = await connect(target, { transport, protocol: lines(), heartbeat });
    await connection.send("hello");
    const { value } = await connection[Symbol.asyncIterator]().next();
    check(value === "HELLO", "it answered " + value);
    await new Promise((resolve) => setTimeout(resolve, 300));
    check(connection.stats().probesSent > 0 && connection.state === "open", "nothing was asked");

    const other = { hostname: "localhost", port: 2 };
    const framed = await serve({ ...other, transport, protocol: frames() }, (connection) => {
      connection.onMessage = (message) => connection.send(message);
    });
    const sender = await connect(other, { transport, protocol: frames() });
    await sender.send(new Uint8Array([1, 2, 3]));
    const bytes = (await sender[Symbol.asyncIterator]().next()).value;
    check(bytes instanceof Uint8Array && bytes.join() === "1,2,3", "the frame was changed: " + bytes);
    sender.close();
    await framed.drain();

    cut();
    const { code } = await connection.closed;
    check(code === "heartbeat-timeout", "it ended with " + code);
    server.abort();
  },
};
`;
}
