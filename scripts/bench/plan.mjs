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
 * @property {readonly (readonly string[])[]} warm loads that are not reported, for code and pools to be there
 * @property {readonly Load[]} loads
 */

/** @param {number} bytes */
const size = (bytes) => bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`;

/** @param {number} bytes @param {number} conns @param {number} depth @returns {Load} */
function echoLoad(bytes, conns, depth) {
  const quick = conns === 50 && (bytes === 64 || depth === 16);
  const args = ["echo", "--plain", "-s", String(bytes), "-c", String(conns), "-p", String(depth)];
  return { name: `${size(bytes)}, ${conns} × ${depth}`, args, quick };
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

/** Everything, in the order in which it is measured. @type {readonly Group[]} */
export const PLAN = [echo, frames, sessions].flatMap((group) => Object.keys(RUNTIMES).map(group));
