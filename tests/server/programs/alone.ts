/**
 * A server whose listener dies and is opened again at the third try. Nothing else keeps this process alive. Prints
 * `reopened` when it is, and then has nothing to live for.
 *
 * @module
 */

import process from "node:process";
import { serve } from "../../../mod.ts";
import { FakeTransport } from "../../support/fake_transport.ts";

const transport = new FakeTransport();
const server = await serve({ port: 0, transport }, () => {});
if (process.argv[2] === "unref") server.unref();
const { died } = transport.listening!;
const listen = transport.listen.bind(transport);
let tries = 0;
transport.listen = async (...args) => {
  if (++tries < 3) throw new Error("taken");
  console.log("reopened");
  return await listen(...args);
};
died!(new Error("gone"));
