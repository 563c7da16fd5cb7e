/**
 * Opens what its third argument says, prints `ready`, and does nothing more: it ends by itself or not.
 *
 * Arguments: URL of the transport's module, the address as JSON, what to hold.
 *
 * @module
 */

import process from "node:process";
import type { Socket } from "../../../lib/transport/transport.ts";
import { load } from "./load.ts";

const [module, target, what] = process.argv.slice(2) as [string, string, string];
const transport = await load(module);
const sockets: Socket[] = [];
let accepted = () => {};

const start = (socket: Socket) => {
  sockets.push(socket);
  socket.start({ data() {}, written() {}, end: () => socket.shutdown(), close() {} });
};

const listener = await transport.listen!(JSON.parse(target), {
  accept: (socket) => {
    start(socket);
    accepted();
  },
});

const steps = what.split("-");
if (steps.shift() === "listener") {
  for (const step of steps) {
    if (step === "unref") listener.unref();
    if (step === "ref") listener.ref();
    if (step === "closed") await listener.close();
  }
} else {
  const waiting = new Promise<void>((resolve) => accepted = resolve);
  start(await transport.connect(listener.address));
  await waiting;
  await listener.close();
  for (const step of steps) {
    for (const socket of sockets) {
      if (step === "unref") socket.unref();
      if (step === "ref") socket.ref();
      if (step === "paused") socket.pause();
      if (step === "aborted") socket.abort();
    }
    if (step === "shutdown") sockets[0]!.shutdown();
  }
}
console.log("ready");
