/**
 * Options of the subcommands: one table for each drives parsing, checking and `--help`.
 *
 * A new option is a new row. `node:util`'s `parseArgs` cuts the arguments up; what a value may be is said here.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { readDuration, readInteger, readSize } from "./units.ts";

/** One row of a table. `T` is what the option is read as. */
export interface Option<T> {
  /** What `--help` says of it. */
  readonly help: string;
  /** A letter that stands for the name. */
  readonly short?: string;
  /** What `--help` puts in the place of the value; absent for a flag. */
  readonly placeholder?: string;
  /** Value if it is not given, as it would be written. Without one it is `undefined`; a flag is `false`. */
  readonly fallback?: string;
  /** Reads a value. @throws {RangeError} With a message that goes on after the option's name: `must be ...`. */
  read(text: string): T;
}

/** Options by their names, without the dashes. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What a table's options are read as. */
export type Values<O extends OptionTable> = {
  readonly [Name in keyof O]: O[Name] extends Option<infer T> ? T : never;
};

/** The user wrote something that cannot be run. The message is one line. */
export class UsageError extends Error {
  /** Creates an error. */
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** An option that takes a duration, read as milliseconds. */
export function duration(help: string, fallback: string): Option<number>;
/** An option that takes a duration, read as milliseconds; `undefined` if it is not given. */
export function duration(help: string): Option<number | undefined>;
export function duration(help: string, fallback?: string): Option<number | undefined> {
  return { help, placeholder: "DURATION", ...(fallback !== undefined && { fallback }), read: readDuration };
}

/** An option that takes a size of at least `min` bytes, read as bytes. */
export function size(help: string, fallback: string, min: number): Option<number>;
/** An option that takes a size of at least `min` bytes, read as bytes; `undefined` if it is not given. */
export function size(help: string, fallback: undefined, min: number): Option<number | undefined>;
export function size(help: string, fallback: string | undefined, min: number): Option<number | undefined> {
  return {
    help,
    placeholder: "SIZE",
    ...(fallback !== undefined && { fallback }),
    read: (text) => readSize(text, min),
  };
}

/** An option that takes a whole number from `min` to `max`. */
export function integer(help: string, fallback: string, min: number, max?: number): Option<number>;
/** An option that takes a whole number from `min` to `max`; `undefined` if it is not given. */
export function integer(
  help: string,
  fallback: undefined,
  min: number,
  max?: number,
): Option<number | undefined>;
export function integer(
  help: string,
  fallback: string | undefined,
  min: number,
  max: number = Infinity,
): Option<number | undefined> {
  return {
    help,
    placeholder: "NUMBER",
    ...(fallback !== undefined && { fallback }),
    read: (text) => readInteger(text, min, max),
  };
}

/** An option that takes any text but none. */
export function text(help: string, placeholder: string, fallback: string): Option<string>;
/** An option that takes any text but none; `undefined` if it is not given. */
export function text(help: string, placeholder: string): Option<string | undefined>;
export function text(help: string, placeholder: string, fallback?: string): Option<string | undefined> {
  return {
    help,
    placeholder,
    ...(fallback !== undefined && { fallback }),
    read(text) {
      if (text === "") throw new RangeError("must not be empty");
      return text;
    },
  };
}

/** An option that takes one of a few words. */
export function choice<T extends string>(help: string, words: readonly T[], fallback: NoInfer<T>): Option<T> {
  return {
    help,
    placeholder: words.join("|"),
    fallback,
    read(text) {
      const word = words.find((word) => word === text);
      if (word === undefined) throw new RangeError(`must be ${words.join(" or ")}`);
      return word;
    },
  };
}

/** An option without a value. */
export function flag(help: string, short?: string): Option<boolean> {
  return { help, ...(short !== undefined && { short }), read: () => true };
}

/** What the user asked of a subcommand. */
export interface Arguments<O extends OptionTable> {
  /** Every option of the table, read. */
  readonly values: Values<O>;
  /** Names of the options that were given. */
  readonly given: ReadonlySet<string>;
  /** What was not an option. */
  readonly positionals: readonly string[];
}

/**
 * Reads the arguments of a subcommand.
 *
 * @param name The subcommand as the user calls it, for messages: `"holdfast serve"`.
 * @throws {UsageError} If an option is unknown, lacks its value, or has one that it may not have.
 */
export function readArguments<O extends OptionTable>(
  name: string,
  table: O,
  args: readonly string[],
): Arguments<O> {
  const { values, positionals } = cutUp(name, table, args);
  const read: Record<string, unknown> = {};
  for (const [option, row] of Object.entries(table)) {
    const given = values[option];
    if (row.placeholder === undefined) read[option] = given === true;
    else {
      const text = given ?? row.fallback;
      read[option] = text === undefined ? undefined : readValue(`${name}: --${option}`, row, String(text));
    }
  }
  return { values: read as Values<O>, given: new Set(Object.keys(values)), positionals };
}

/** Reads one value. @throws {UsageError} That begins with `subject`, and names the rule and the value seen. */
export function readValue<T>(subject: string, { read }: Pick<Option<T>, "read">, text: string): T {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof RangeError) {
      throw new UsageError(`${subject} ${error.message}: got ${JSON.stringify(text)}`);
    }
    throw error;
  }
}

function cutUp(name: string, table: OptionTable, args: readonly string[]) {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const [option, { placeholder, short }] of Object.entries(table)) {
    options[option] = {
      type: placeholder === undefined ? "boolean" : "string",
      ...(short !== undefined && { short }),
    };
  }
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(`${name}: ${explain(error, table)} (see ${name} --help)`);
  }
}

/** Says in one line what `parseArgs` says in up to three. Its codes and quotes are the same on every runtime. */
function explain(error: unknown, table: OptionTable): string {
  const { code, message } = error as { code?: string; message: string };
  // '--name', '-n, --name', '--name <value>', '-n', and 'n' on Bun.
  const option = /'(?:-\w, )?-*([^\s']+)/.exec(message)?.[1] ?? "";
  const written = option.length === 1 ? `-${option}` : `--${option}`;
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `unknown option ${written}`;
  if (code !== "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") throw error;
  const row = Object.hasOwn(table, option) ? table[option] : undefined;
  if (row?.placeholder === undefined) return `${written} takes no value`;
  const dash = message.includes("ambiguous")
    ? `; one that begins with a dash is written ${written}=VALUE`
    : "";
  return `${written} needs a value, ${row.placeholder}${dash}`;
}
