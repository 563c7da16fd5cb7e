/**
 * Empty projects in which the package is installed and used.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";

import { run } from "../test/process.mjs";
import { tools } from "../test/tools.mjs";

/** How long one program of a user may take, in milliseconds. */
const LIMIT = 90_000;

/** What npm tells the programs that it starts is about this checkout, not about the projects. */
const WITHOUT_NPM = Object.fromEntries(
  Object.keys(process.env).filter((name) => /^npm_/i.test(name)).map((name) => [name, undefined]),
);

/** How npm is started. @returns {[command: string, args: string[]]} */
export function npm() {
  const path = process.env["npm_execpath"];
  return path === undefined ? ["npm", []] : [tools.node, [path]];
}

/** A folder of its own, with all that is written in it. */
export class Project {
  /** @readonly @type {string} */
  folder;
  /** @type {Record<string, string | undefined>} */
  #env;

  /**
   * @param {string} folder where it is made
   * @param {string} url where packages come from
   */
  constructor(folder, url) {
    this.folder = folder;
    this.#env = {
      ...WITHOUT_NPM,
      npm_config_registry: url,
      // Deno knows it by this name alone.
      NPM_CONFIG_REGISTRY: url,
      // Nothing that was kept from an earlier build of the same version may be taken.
      npm_config_cache: join(folder, ".npm"),
      BUN_INSTALL_CACHE_DIR: join(folder, ".bun"),
      DENO_DIR: join(folder, ".deno"),
    };
    mkdirSync(folder, { recursive: true });
  }

  /**
   * @param {string} path
   * @param {string} text
   */
  write(path, text) {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
    return join(this.folder, path);
  }

  /** Says that it is a project of npm or Bun. Deno takes one that says so for one whose packages are installed. */
  ofNpm() {
    this.write("package.json", JSON.stringify({ private: true }));
    return this;
  }

  /** The environment of programs of this project. */
  get env() {
    return { ...this.#env };
  }

  /**
   * Runs a program to its end, however that is.
   *
   * @param {string} command
   * @param {readonly string[]} args
   */
  async tryRun(command, args) {
    return await run(command, args, { limit: LIMIT, cwd: this.folder, env: this.#env });
  }

  /**
   * Runs a program to its end.
   *
   * @param {string} command
   * @param {readonly string[]} args
   * @returns {Promise<string>} what it wrote
   * @throws {Error} if it failed
   */
  async run(command, args) {
    const { code, signal, timedOut, output } = await this.tryRun(command, args);
    if (timedOut) throw new Error(`killed after ${LIMIT / 1000} s\n${output}`);
    if (code !== 0) throw new Error(`ended with ${signal ?? `code ${code}`}\n${output}`);
    return output;
  }
}
