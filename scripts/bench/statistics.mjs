/**
 * Medians, and ratios of figures that were measured side by side.
 *
 * @module
 */

/** @typedef {{ readonly median: number, readonly min: number, readonly max: number }} Spread */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle] ?? NaN
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** @param {readonly number[]} values @returns {Spread} */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * What each round's figure is of the base's in the same round.
 *
 * @param {readonly number[]} values
 * @param {readonly number[]} base
 */
export function ratios(values, base) {
  return spread(values.map((value, round) => value / (base[round] ?? NaN)));
}

/**
 * By how much each round's figure is more than the base's in the same round.
 *
 * @param {readonly number[]} values
 * @param {readonly number[]} base
 */
export function differences(values, base) {
  return spread(values.map((value, round) => value - (base[round] ?? NaN)));
}
