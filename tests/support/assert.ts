/**
 * The names of `@std/assert` that the tests use, over `node:assert/strict`.
 *
 * JSR is not reachable from every machine. `npm test` maps `@std/assert` to this file on all three
 * runtimes; `deno task test` takes the real package. So this file must not be kinder or stricter than
 * the real one, and has no name that the real one lacks.
 *
 * @module
 */

import {
  AssertionError,
  deepStrictEqual,
  match,
  notDeepStrictEqual,
  notStrictEqual,
  strictEqual,
} from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- the constructor of any error, as the real package has it
type ErrorType<E extends Error> = abstract new (...args: any[]) => E;

/** Node takes no `undefined` for a message that was not given. */
const optional = (msg?: string): [] | [string] => msg === undefined ? [] : [msg];

const suffix = (msg?: string): string => msg === undefined ? "." : `: ${msg}`;

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) fail(msg);
}

/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is false | 0 | "" | null | undefined {
  if (expr) fail(msg);
}

/** Fails unless both are deeply and strictly equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  deepStrictEqual(actual, expected, ...optional(msg));
}

/** Fails if both are deeply and strictly equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  notDeepStrictEqual(actual, expected, ...optional(msg));
}

/** Fails unless both are the same value, as `Object.is` sees it. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  strictEqual(actual, expected, ...optional(msg));
}

/** Fails if both are the same value, as `Object.is` sees it. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  notStrictEqual(actual, expected, ...optional(msg));
}

/** Fails if `actual` is `null` or `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    fail(`Expected actual: "${actual}" to not be null or undefined${suffix(msg)}`);
  }
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any -- any constructor, as the real package has it
  expectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is T {
  if (!(actual instanceof expectedType)) {
    fail(
      `Expected object to be an instance of "${expectedType.name}" but was ${describe(actual)}${suffix(msg)}`,
    );
  }
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    fail(`Expected actual: "${actual}" to contain: "${expected}"${suffix(msg)}`);
  }
}

/** Fails unless `expected` matches `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  match(actual, expected, ...optional(msg));
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) fail(`Expect ${actual} > ${expected}${suffix(msg)}`);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) fail(`Expect ${actual} >= ${expected}${suffix(msg)}`);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) fail(`Expect ${actual} < ${expected}${suffix(msg)}`);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) fail(`Expect ${actual} <= ${expected}${suffix(msg)}`);
}

/** Fails unless both are as close as `tolerance`, by default a ten-millionth of `expected`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance: number = Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7,
  msg?: string,
): void {
  if (Object.is(actual, expected) || Math.abs(expected - actual) <= tolerance) return;
  fail(`Expected actual: "${actual}" to be close to "${expected}": tolerance is ${tolerance}${suffix(msg)}`);
}

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `ErrorClass` whose message includes `msgIncludes`; returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorType<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: ErrorType<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    return checkError(error, classOrMsg, msgIncludes, msg);
  }
  fail(`Expected function to throw${suffix(typeof classOrMsg === "string" ? classOrMsg : msg)}`);
}

/** Fails unless the promise of `fn` rejects; resolves to what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise of `fn` rejects with an `ErrorClass` whose message includes `msgIncludes`. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorType<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorType<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const text = suffix(typeof classOrMsg === "string" ? classOrMsg : msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    fail(`Function throws when expected to reject${text}`);
  }
  if (typeof (promise as PromiseLike<unknown> | undefined)?.then !== "function") {
    fail(`Function throws when expected to reject${text}`);
  }
  try {
    await promise;
  } catch (error) {
    return checkError(error, classOrMsg, msgIncludes, msg);
  }
  fail(`Expected function to reject${text}`);
}

/** Fails. */
export function fail(msg?: string): never {
  throw new AssertionError({ message: msg ?? "Failed assertion.", stackStartFn: fail });
}

function checkError(
  error: unknown,
  classOrMsg: ErrorType<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): unknown {
  if (typeof classOrMsg !== "function") return error;
  if (!(error instanceof Error)) fail(`A non-Error object was thrown or rejected${suffix(msg)}`);
  if (!(error instanceof classOrMsg)) {
    fail(`Expected error to be instance of "${classOrMsg.name}", but was ${describe(error)}${suffix(msg)}`);
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    fail(`Expected error message to include "${msgIncludes}", but got "${error.message}"${suffix(msg)}`);
  }
  return error;
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const name = `"${value.constructor?.name ?? "Object"}"`;
  return value instanceof Error ? `${name} (${value.message})` : name;
}
