/**
 * A client that has nothing to do but to come back: prints its states, as they come.
 *
 * @module
 */

import process from "node:process";
import { connect, lines } from "../../../mod.ts";

const [port, how] = process.argv.slice(2);
const connection = await connect({ hostname: "127.0.0.1", port: Number(port) }, {
  protocol: lines(),
  reconnect: { initial: 500, jitter: 0 },
});
connection.onState = (state) => console.log(state);
if (how === "unref") connection.unref();
console.log("ready");
