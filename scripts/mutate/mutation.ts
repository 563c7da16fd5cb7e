/**
 * Rules of the liveness core, each broken in one place.
 *
 * @module
 */

/** One change of one file. */
export interface Mutation {
  /** What is wrong then. */
  readonly name: string;
  readonly file: string;
  /** Text that is in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

/** Mutations of one file, each as its name, the text that is there, and the text that comes instead. */
export function of(
  file: string,
  list: readonly (readonly [name: string, from: string, to: string])[],
): Mutation[] {
  return list.map(([name, from, to]) => ({ name, file, from, to }));
}

/** What is wrong with a mutation of a file that holds `text`, if anything is. */
export function mistakeOf({ file, from, to }: Mutation, text: string): string | undefined {
  const found = text.split(from).length - 1;
  if (found !== 1) return `its text is found ${found} times in ${file}, and must be once`;
  return from === to ? "it changes nothing" : undefined;
}
