/**
 * The library's echo server for frames, in each of its forms: what is measured.
 *
 * Arguments: port, `callback` or `iterator`; and `session` for messages that survive a reconnect.
 *
 * @module
 */

import process from "node:process";
import { type Connection, frames, serve } from "../../../mod.ts";

type Message = Uint8Array | string;

const [port, form = "", session] = process.argv.slice(2);

/** How an application answers in each form. */
const HANDLERS: Record<string, (connection: Connection<Message>) => Promise<void> | void> = {
  callback: (connection) => {
    connection.onMessage = (message) => connection.send(message);
  },
  iterator: async (connection) => {
    for await (const message of connection) await connection.send(message);
  },
};

await serve<Message, Message>({
  hostname: "127.0.0.1",
  port: Number(port),
  maxConnections: 1_000_000,
  protocol: frames(),
  resume: session === "session",
}, HANDLERS[form]!);
