/**
 * What is measured, as data: servers that are loaded side by side, and the loads.
 *
 * @module
 */

import { join } from "node:path";

import { RUNTIMES } from "./machine.mjs";

const folder = join("scripts", "bench");

/**
 * A program under measurement.
 *
 * @typedef {object} Program
 * @property {string} file
 * @property {readonly string[]} [args] what follows the port
 * @property {readonly string[]} [speaks] what loadgen is told besides, to speak its protocol
 */

/**
 * @typedef {object} Load
 * @property {string} name
 * @property {readonly string[]} args for loadgen, without the time
 * @property {boolean} [quick] whether it belongs to a quick run too
 * @property {number} [warmUp] how long a slice of it runs before it counts, in seconds, if not as long as others
 */

/**
 * Servers that are loaded in turn, so that whatever else the machine does meets all of them alike.
 *
 * @typedef {object} Group
 * @property {string} section
 * @property {string} runtime
 * @property {string} figure what loadgen tells that is compared
 * @property {string} title the figure, in words
 * @property {string} base the server that the others are divided by
 * @property {Readonly<Record<string, Program>>} servers
 * @property {Comparison} [compare] how the others are compared with it; by their ratio if it is absent
 * @property {readonly (readonly string[])[]} warm loads that are not reported, for code and pools to be there
 * @property {readonly Load[]} loads
 * @property {number} [whole] loads run whole, each with a new server; how many seconds that takes
 * @property {number} [program] there is no load: the programs tell a figure for each name of a load; how many seconds
 */

/** @typedef {"ratio" | "difference" | "growth"} Comparison to the base, or (growth) to the same server's first load */

/** @param {number} bytes */
const size = (bytes) => bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`;

/** @param {number} bytes @param {number} conns @param {number} depth @returns {Load} */
function echoLoad(bytes, conns, depth) {
  const quick = conns === 50 && (bytes === 64 || depth === 16);
  const args = ["echo", "--plain", "-s", String(bytes), "-c", String(conns), "-p", String(depth)];
  return {
    ...{ name: `${size(bytes)}, ${conns} × ${depth}`, args, quick },
    // What so many cost that were opened a moment ago is churn, and each of them has been served a few times only.
    ...conns >= 1_000 ? { warmUp: 1 } : {},
  };
}

/** @param {string} runtime @returns {Group} */
function echo(runtime) {
  const ours = join(folder, "servers", "echo.ts");
  return {
    section: "echo",
    runtime,
    figure: "server_cpu_us_per_msg",
    title: "CPU per message, µs",
    base: "raw",
    servers: {
      raw: { file: join(folder, "raw", `${runtime}_echo.ts`) },
      callback: { file: ours, args: ["callback"] },
      iterator: { file: ours, args: ["iterator"] },
      streams: { file: ours, args: ["streams"] },
      ...(runtime === "node" ? { "raw, onread": { file: join(folder, "raw", "node_onread.ts") } } : {}),
    },
    warm: [["echo", "--plain", "-c", "50", "-p", "16", "-t", "0.7", "--warmup", "0"]],
    loads: [64, 16384].flatMap((bytes) =>
      [1, 50, 1000].flatMap((conns) => [1, 16].map((depth) => echoLoad(bytes, conns, depth)))
    ),
  };
}

/**
 * The iterator and the streams of the library, beside the least that such a thing can be on the runtime.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function forms(runtime) {
  const { servers, ...common } = echo(runtime);
  const { raw, iterator, streams } = /** @type {Record<string, Program>} */ (servers);
  const file = join(folder, "raw", "least.ts");
  return {
    ...common,
    section: "forms",
    servers: /** @type {Record<string, Program>} */ ({
      ...{ raw, "least iterator": { file, args: ["iterator"] }, iterator },
      ...{ "least streams": { file, args: ["streams"] }, streams },
    }),
    loads: [echoLoad(64, 50, 1), echoLoad(64, 50, 16), echoLoad(16384, 50, 1)].map((load) => ({
      ...load,
      quick: false,
    })),
  };
}

/**
 * Frames of the library, against the same frames by hand and without anything else, and against WebSocket messages.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function frames(runtime) {
  const ours = join(folder, "servers", "frames.ts");
  const webSocket = `${runtime}_websocket.${runtime === "node" ? "mjs" : "ts"}`;
  return {
    section: "frames",
    runtime,
    figure: "server_cpu_us_per_msg",
    title: "CPU per message, µs",
    base: "raw",
    servers: {
      raw: { file: join(folder, "raw", `${runtime}_frames.ts`), speaks: ["--prefixed"] },
      callback: { file: ours, args: ["callback"], speaks: ["--frames"] },
      iterator: { file: ours, args: ["iterator"], speaks: ["--frames"] },
      websocket: { file: join(folder, "raw", webSocket), speaks: ["--ws", "/"] },
    },
    warm: [["echo", "--plain", "-c", "50", "-p", "16", "-t", "0.7", "--warmup", "0"]],
    loads: [50, 1000].map((conns) => echoLoad(64, conns, 16)),
  };
}

/**
 * What a session costs that keeps messages until they are acknowledged.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function sessions(runtime) {
  const file = join(folder, "servers", "frames.ts");
  return {
    section: "sessions",
    runtime,
    figure: "server_cpu_us_per_msg",
    title: "CPU per message, µs",
    base: "without",
    servers: {
      without: { file, args: ["callback"], speaks: ["--frames"] },
      session: { file, args: ["callback", "session"], speaks: ["--session"] },
      "session, iterator": { file, args: ["iterator", "session"], speaks: ["--session"] },
    },
    warm: [["echo", "--plain", "-c", "50", "-p", "16", "-t", "0.7", "--warmup", "0"]],
    loads: [echoLoad(64, 50, 1), echoLoad(64, 50, 16)].map((load) => ({ ...load, quick: false })),
  };
}

const WARM_HOLD = [["churn", "--plain", "--heartbeats", "-c", "50", "-t", "1"]];

/** Programs that hold connections, with a heartbeat every so often. @param {string} runtime @param {string} interval */
function holders(runtime, interval) {
  const ours = join(folder, "servers", "echo.ts");
  return {
    raw: { file: join(folder, "raw", `${runtime}_echo.ts`), args: [interval] },
    callback: { file: ours, args: ["callback", interval] },
    iterator: { file: ours, args: ["iterator", interval] },
  };
}

/**
 * What an idle connection costs in memory, with a heartbeat every 10 s.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function idle(runtime) {
  return {
    section: "idle",
    runtime,
    figure: "anon_bytes_per_conn",
    title: "bytes of memory for each idle connection",
    base: "raw",
    compare: "difference",
    servers: holders(runtime, "10000"),
    warm: WARM_HOLD,
    loads: [10_000, 18_000].map((conns) => ({
      name: `${conns} idle`,
      args: ["hold", "-c", String(conns), "-t", "2", "--settle", "4"],
    })),
    whole: 12,
  };
}

/**
 * A heartbeat a second to each of 10 000 connections, against one timer that writes the same bytes to all: at once, or a
 * hundredth of them every 10 ms.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function heartbeats(runtime) {
  const { raw, callback, iterator } = holders(runtime, "1000");
  return {
    section: "heartbeats",
    runtime,
    figure: "server_cpu_us_per_heartbeat",
    title: "CPU per heartbeat, µs",
    base: "raw",
    servers: { raw, "raw, spread": { ...raw, args: ["1000", "spread"] }, callback, iterator },
    warm: WARM_HOLD,
    loads: [{ name: "10000 a second", args: ["hold", "-c", "10000", "-t", "5", "--settle", "2"] }],
    whole: 12,
  };
}

/**
 * Connections made, used once, and closed.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function churn(runtime) {
  const { raw, callback, iterator } = echo(runtime).servers;
  return {
    section: "churn",
    runtime,
    figure: "server_cpu_us_per_conn",
    title: "CPU per connection, µs",
    base: "raw",
    servers: /** @type {Record<string, Program>} */ ({ raw, callback, iterator }),
    warm: WARM_HOLD,
    loads: [{ name: "16 at a time", args: ["churn", "--plain", "-c", "16"] }],
  };
}

/**
 * Whether a connection costs more where there are many.
 *
 * @param {string} runtime
 * @returns {Group[]}
 */
function growth(runtime) {
  const common = {
    section: "growth",
    runtime,
    base: "",
    compare: /** @type {const} */ ("growth"),
    warm: WARM_HOLD,
  };
  const { raw, callback } = /** @type {Record<string, Program>} */ (echo(runtime).servers);
  const { raw: rawHolder, callback: holder } = holders(runtime, "10000");
  const few = "1000", many = "18000";
  return [{
    ...common,
    figure: "server_cpu_us_per_msg",
    title: "CPU per message, µs; 64 B, depth 1",
    servers: /** @type {Record<string, Program>} */ ({ raw, callback }),
    loads: [few, many].map((conns) => ({
      name: `CPU at ${conns} connections`,
      args: ["echo", "--plain", "-s", "64", "-c", conns, "-t", "3"],
    })),
    whole: 9,
  }, {
    ...common,
    figure: "anon_bytes_per_conn",
    title: "bytes of memory for each idle connection",
    servers: { raw: rawHolder, callback: holder },
    loads: [few, many].map((conns) => ({
      name: `memory at ${conns} connections`,
      args: ["hold", "-c", conns, "-t", "2", "--settle", "4"],
    })),
    whole: 12,
  }];
}

/**
 * Deadlines by themselves.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function timers(runtime) {
  return {
    section: "timers",
    runtime,
    figure: "",
    title: "1 000 000 deadlines",
    base: "",
    servers: { wheel: { file: join(folder, "timers.ts") } },
    warm: [],
    loads: ["bytes each", "add, ns", "set, ns", "cancel, ns", "longest stall, ms"].map((name) => ({
      name,
      args: [],
    })),
    program: 8,
  };
}

/**
 * 1 000 clients whose server is killed, and started again.
 *
 * @param {string} runtime
 * @returns {Group}
 */
function reconnect(runtime) {
  const file = join(folder, "reconnect.ts");
  return {
    section: "reconnect",
    runtime,
    figure: "",
    title: "1 000 clients whose server is restarted",
    base: "raw",
    servers: { raw: { file, args: ["raw"] }, callback: { file, args: ["callback"] } },
    warm: [],
    loads: ["CPU for each client, µs", "last back, ms"].map((name) => ({ name, args: [] })),
    program: 8,
  };
}

const SECTIONS = [echo, forms, frames, sessions, churn, idle, heartbeats, growth, timers, reconnect];

/** Everything, in the order in which it is measured. @type {readonly Group[]} */
export const PLAN = SECTIONS.flatMap((section) =>
  Object.keys(RUNTIMES).flatMap((runtime) => section(runtime))
);
