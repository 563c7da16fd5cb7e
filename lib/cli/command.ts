/**
 * What a subcommand is.
 *
 * @module
 */

import type { Helped } from "./help.ts";
import type { Host } from "./host.ts";
import type { Arguments, OptionTable } from "./options.ts";

/** A subcommand. */
export interface Command extends Helped {
  /** What it does, in one line. */
  readonly summary: string;
  /**
   * Runs it. Returns the exit code.
   *
   * @throws {UsageError} If what was given makes no sense together.
   */
  run(args: Arguments<OptionTable>, host: Host): Promise<number>;
}

/** Makes a subcommand of which `run` knows the types of its options. */
export function defineCommand<O extends OptionTable>(
  definition: Omit<Command, "options" | "run"> & {
    readonly options: O;
    run(args: Arguments<O>, host: Host): Promise<number>;
  },
): Command {
  // `main` gives each command what was read by its own table.
  return definition as unknown as Command;
}
