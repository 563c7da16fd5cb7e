/**
 * Dials an address that never answers, prints why it gave up, and must then end by itself.
 *
 * Arguments: URL of the transport's module, the address as JSON, `timeout` or `abort`.
 *
 * @module
 */

import process from "node:process";
import { load } from "./load.ts";

const [module, target, how] = process.argv.slice(2) as [string, string, string];
const transport = await load(module);
const controller = new AbortController();
if (how === "abort") setTimeout(() => controller.abort(new Error("changed my mind")), 200);
try {
  await transport.connect(JSON.parse(target), {
    signal: controller.signal,
    timeout: how === "timeout" ? 200 : 60_000,
  });
  console.log("connected");
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  console.log(code ?? message);
}
