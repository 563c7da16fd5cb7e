/**
 * What `--help` prints, made from the tables of options.
 *
 * @module
 */

import type { OptionTable } from "./options.ts";

/** What help is needed for. */
export interface Helped {
  /** One line: how it is called. */
  readonly usage: string;
  /** What it does, in a few lines. */
  readonly about: string;
  /** Its options. */
  readonly options: OptionTable;
  /** What else a user should know, in a few lines. */
  readonly notes?: string;
}

/** Widest column of names; help for longer ones begins on the next line. */
const COLUMN = 28;

/** The help of a subcommand. */
export function commandHelp({ usage, about, options, notes }: Helped): string {
  const parts = [`usage: ${usage}`, about, `options:\n${optionList(options)}`];
  if (notes !== undefined) parts.push(notes);
  return `${parts.join("\n\n")}\n`;
}

/** The options of a table, a line or two each. */
export function optionList(options: OptionTable): string {
  return list(
    Object.entries(options).map(([name, { short, placeholder, fallback, help }]) => [
      `${short === undefined ? "" : `-${short}, `}--${name}${
        placeholder === undefined ? "" : ` ${placeholder}`
      }`,
      fallback === undefined ? help : `${help} (default ${fallback})`,
    ]),
  );
}

/** Names and what they mean, in two columns. */
export function list(rows: readonly (readonly [name: string, help: string])[]): string {
  return rows.map(([name, help]) =>
    name.length <= COLUMN ? `  ${name.padEnd(COLUMN)}  ${help}` : `  ${name}\n  ${"".padEnd(COLUMN)}  ${help}`
  ).join("\n");
}
