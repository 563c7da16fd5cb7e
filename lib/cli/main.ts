/**
 * The command: finds the subcommand, reads its options, runs it, and puts failures into one line.
 *
 * Exit codes: 0 if all went well, 1 if it did not, 2 if it was called the wrong way, 128 and the number of the
 * signal if a second signal cut it short.
 *
 * @module
 */

import type { Command } from "./command.ts";
import { connectCommand } from "./connect.ts";
import { Failure } from "./failure.ts";
import { commandHelp, list, optionList } from "./help.ts";
import type { Host } from "./host.ts";
import { flag, type OptionTable, readArguments, UsageError } from "./options.ts";
import { serveCommand } from "./serve.ts";
import { VERSION } from "./version.ts";

const COMMANDS: Readonly<Record<string, Command>> = { serve: serveCommand, connect: connectCommand };

/** Options that every subcommand has. */
const COMMON = { help: flag("show this help", "h"), version: flag("show the version") } satisfies OptionTable;

/** Runs the command with `args`, without the names of the runtime and the file. Returns the exit code. */
export async function main(args: readonly string[], host: Host): Promise<number> {
  try {
    return await run(args, host);
  } catch (error) {
    // Somebody who reads only the head of our output wants no error for it.
    if ((error as { code?: unknown } | null)?.code === "EPIPE") return 0;
    if (error instanceof UsageError) {
      host.tell(error.message);
      return 2;
    }
    if (error instanceof Failure) host.tell(`holdfast: ${error.message}`);
    else host.tell(`holdfast: unexpected: ${error instanceof Error ? error.stack ?? error.message : error}`);
    return 1;
  }
}

async function run(args: readonly string[], host: Host): Promise<number> {
  const [first, second] = args;
  if (first === "--help" || first === "-h" || first === "help") {
    await host.output(second === undefined ? globalHelp() : helpOf(find(second)));
    return 0;
  }
  if (first === "--version") return await showVersion(host);
  // Without a subcommand it is the server, so that the shortest way to call us does something.
  const bare = first === undefined || first.startsWith("-");
  const command = find(bare ? "serve" : first);
  const options = { ...command.options, ...COMMON };
  const read = readArguments(`holdfast ${bare ? "serve" : first}`, options, bare ? args : args.slice(1));
  if (read.values.version) return await showVersion(host);
  if (read.values.help) {
    await host.output(helpOf(command));
    return 0;
  }
  return await command.run(read, host);
}

async function showVersion(host: Host): Promise<number> {
  await host.output(`holdfast ${VERSION}\n`);
  return 0;
}

function find(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return command;
  throw new UsageError(`holdfast: unknown command ${JSON.stringify(name)} (see holdfast --help)`);
}

function helpOf(command: Command): string {
  return commandHelp({ ...command, options: { ...command.options, ...COMMON } });
}

function globalHelp(): string {
  return `holdfast ${VERSION}: connections that stay alive

usage: holdfast [COMMAND] [OPTIONS]

commands:
${list(Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary]))}

options:
${optionList(COMMON)}

Without a command it is serve. holdfast COMMAND --help tells more.
`;
}
