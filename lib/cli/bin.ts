#!/usr/bin/env node
/**
 * The executable: loading this file runs the command.
 *
 * @module
 */

import process from "node:process";
import { main } from "./main.ts";
import { processHost } from "./process_host.ts";

const host = processHost();

// No top-level await: this file is reachable from the root, and the root is built as CommonJS too.
void main(process.argv.slice(2), host).then(async (code) => {
  await host.flush();
  process.exitCode = code;
  // After a second signal nothing may hold the process any more.
  if (code > 128) process.exit();
});
