/**
 * What the tests of faults have measured, side by side: fault by runtime.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";

/** The variable that names the file to which the tests of faults write what they measure, a line of JSON each. */
export const LOG = "HOLDFAST_FAULTS_LOG";

/** @typedef {{ row: number, fault: string, bound: string, measured: Record<string, string[]> }} Line */

/** Collects lines of several runtimes, and shows them. */
export class FaultTable {
  /** @type {Map<string, Line>} */
  #lines = new Map();
  /** @type {string[]} */
  #names = [];

  /** Whether nothing has been measured. */
  get empty() {
    return this.#lines.size === 0;
  }

  /**
   * Adds what the tests on a runtime wrote to the file at `path`.
   *
   * @param {string} name of the runtime
   * @param {string} path
   */
  add(name, path) {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    if (text !== "" && !this.#names.includes(name)) this.#names.push(name);
    for (const line of text.split("\n").filter(Boolean)) {
      const [row, fault, bound, measured] = JSON.parse(line);
      const key = `${String(row).padStart(2)} ${fault} ${bound}`;
      /** @type {Line} */
      const entry = this.#lines.get(key) ?? { row, fault, bound, measured: {} };
      (entry.measured[name] ??= []).push(measured);
      this.#lines.set(key, entry);
    }
  }

  /** The table, in Markdown. */
  toString() {
    const names = this.#names;
    const head = [
      `| # | fault | bound | ${names.join(" | ")} |`,
      `|---|---|---|${"---|".repeat(names.length)}`,
    ];
    const rows = [...this.#lines.values()].sort((a, b) => a.row - b.row).map((line) => {
      const cells = names.map((name) => line.measured[name]?.join("; ") ?? "-");
      return `| ${line.row} | ${line.fault} | ${line.bound} | ${cells.join(" | ")} |`;
    });
    return [...head, ...rows].join("\n");
  }
}
