/**
 * What stands for `node:test` within a Worker: tests are collected, and run one at a time, when they are asked for.
 *
 * @module
 */

/** A test, as it was declared. */
export interface Declared {
  readonly name: string;
  /** Why it is not run. */
  readonly skip: string | undefined;
  readonly body: () => unknown;
}

/** All tests, in order. */
export const declared: Declared[] = [];

/** Declares a test. */
export function test(name: string, options: { readonly skip?: string }, body: () => unknown): void {
  declared.push({ name, skip: options.skip, body });
}
