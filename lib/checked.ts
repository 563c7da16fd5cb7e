/**
 * Checks numbers that a caller gave.
 *
 * @module
 */

/**
 * Returns `value` if it is a usable duration in milliseconds: a number above 0, or `Infinity` for never.
 *
 * @throws {RangeError} In the form: what failed, the rule, the value seen.
 */
export function duration(action: string, name: string, value: number): number {
  if (typeof value === "number" && value > 0) return value;
  throw new RangeError(`Cannot ${action} as "${name}" must be > 0: current value is ${value}`);
}

/**
 * Returns `value` if it is a usable delay in milliseconds: a number of at least 0 that is not for ever.
 *
 * @throws {RangeError} In the form: what failed, the rule, the value seen.
 */
export function delay(action: string, name: string, value: number): number {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value;
  throw new RangeError(`Cannot ${action} as "${name}" must be >= 0 and finite: current value is ${value}`);
}

/**
 * Returns `value` if it is a usable count or size: a whole number from `min` on, or `Infinity` for no bound.
 *
 * @throws {RangeError} In the form: what failed, the rule, the value seen.
 */
export function count(action: string, name: string, value: number, min = 1): number {
  if (typeof value === "number" && value >= min && (Number.isInteger(value) || value === Infinity)) {
    return value;
  }
  throw new RangeError(
    `Cannot ${action} as "${name}" must be a whole number >= ${min}: current value is ${value}`,
  );
}
