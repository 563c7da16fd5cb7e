/**
 * A server of frames whose sessions go to files when it drains: prints its port, drains at the first line on standard
 * input, and ends.
 *
 * @module
 */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { frames, serve, type SessionRecord, type SessionStore, type TcpAddress } from "../../../mod.ts";

const [folder = "", port = "0"] = process.argv.slice(2);

/** Bytes as text, and back. */
const coded = (_: string, value: unknown) =>
  value instanceof Uint8Array ? { hex: [...value].map((byte) => byte.toString(16).padStart(2, "0")) } : value;
const decoded = (_: string, value: { hex?: string[] }) =>
  value?.hex === undefined ? value : Uint8Array.from(value.hex, (byte) => parseInt(byte, 16));

/** One file for each session, in a folder that the processes share. */
const store: SessionStore = {
  put: (record) => writeFileSync(join(folder, record.id), JSON.stringify(record, coded)),
  take(id) {
    try {
      const text = readFileSync(join(folder, id), "utf8");
      rmSync(join(folder, id));
      return JSON.parse(text, decoded) as SessionRecord;
    } catch {
      return undefined;
    }
  },
};

const server = await serve({ port: Number(port), protocol: frames(), resume: { store } }, (connection) => {
  connection.onMessage = (message) => connection.send(`${process.pid}: ${message}`);
});
console.log((server.address as TcpAddress).port);
createInterface({ input: process.stdin }).once("line", async () => {
  await server.drain({ retryAfter: 50 });
  process.exit(0);
});
