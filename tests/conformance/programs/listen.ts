/**
 * Listens, prints its address, and answers with what it gets until it is killed.
 *
 * Arguments: URL of the transport's module, the address as JSON.
 *
 * @module
 */

import process from "node:process";
import { load } from "./load.ts";

const [module, target] = process.argv.slice(2) as [string, string];
const transport = await load(module);
const listener = await transport.listen!(JSON.parse(target), {
  accept: (socket) =>
    socket.start({
      data: (chunk) => void socket.write(chunk),
      written() {},
      end: () => socket.shutdown(),
      close() {},
    }),
});
console.log(JSON.stringify(listener.address));
