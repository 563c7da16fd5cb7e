/**
 * What the kernel says of its sockets, as `ss` shows it.
 *
 * @module
 */

import { execFileSync } from "node:child_process";

let ssFound: boolean | undefined;

/** Whether `ss` is there. */
export function hasSs(): boolean {
  if (ssFound === undefined) {
    try {
      ss("-ltnH", "sport = :1");
      ssFound = true;
    } catch {
      ssFound = false;
    }
  }
  return ssFound;
}

/** Lines that `ss` prints. */
export function ss(...args: string[]): string[] {
  const text = execFileSync("ss", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return text.split("\n").filter((line) => line.trim() !== "");
}
