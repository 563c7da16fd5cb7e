/**
 * Our own server, for Workers to connect to: sends lines, or frames, back in upper case, and prints its port. The arguments
 * say what it speaks, and on which port.
 *
 * @module
 */

import process from "node:process";
import { frames, lines, serve } from "../../../mod.ts";

const [, , protocol = "lines", port = "0"] = process.argv;
const shared = { port: Number(port), heartbeat: false, minPingGap: 0 } as const;
const server = protocol === "frames"
  ? await serve({ ...shared, protocol: frames(), resume: true }, (connection) => {
    connection.onMessage = (message) => connection.send(String(message).toUpperCase());
  })
  : await serve({ ...shared, protocol: lines() }, (connection) => {
    connection.onMessage = (line) => connection.send(line.toUpperCase());
  });
console.log("port" in server.address ? server.address.port : 0);
process.stdin.once("data", () => void server.drain());
