/**
 * What the figures come to: medians, ratios to the base, and whether each target is met.
 *
 * @module
 */

import { readFileSync } from "node:fs";

import { median, ratios, spread } from "./statistics.mjs";

/**
 * @typedef {object} Target
 * @property {string} section
 * @property {string} load a pattern
 * @property {string} server
 * @property {string} [runtime] all of them if it is absent
 * @property {number} most
 * @property {"ratio" | "value"} [of] what must not be more: what it is of the base (the default), or the figure itself
 */

/** @type {readonly Target[]} */
const TARGETS = JSON.parse(readFileSync(new URL("targets.json", import.meta.url), "utf8"));

/**
 * @typedef {object} Verdict
 * @property {import("./measure.mjs").Row} row
 * @property {import("./statistics.mjs").Spread} value
 * @property {import("./statistics.mjs").Spread | undefined} ratio absent for the base
 * @property {number | undefined} rate messages a second
 * @property {number | undefined} rateRatio what that is of the base's
 * @property {number} others
 * @property {Target | undefined} target
 * @property {boolean | undefined} met
 */

/** @param {import("./measure.mjs").Row} row */
function targetOf({ section, runtime, load, server }) {
  return TARGETS.find((target) =>
    target.section === section && target.server === server && new RegExp(target.load).test(load) &&
    (target.runtime ?? runtime) === runtime
  );
}

/**
 * @param {readonly import("./measure.mjs").Row[]} rows
 * @returns {Verdict[]}
 */
export function judge(rows) {
  return rows.map((row) => {
    const base = rows.find((other) =>
      other.section === row.section && other.runtime === row.runtime && other.load === row.load &&
      other.server === row.base && other !== row
    );
    const ratio = base === undefined ? undefined : ratios(row.values, base.values);
    const target = targetOf(row);
    const value = spread(row.values);
    const judged = target?.of === "value" ? value.median : ratio?.median ?? NaN;
    const rate = median(row.rates);
    return {
      row,
      value,
      ratio,
      rate: Number.isNaN(rate) ? undefined : rate,
      rateRatio: base === undefined || Number.isNaN(rate) ? undefined : ratios(row.rates, base.rates).median,
      others: median(row.others),
      target,
      // Two digits are what is shown, and more than the measurement is good for.
      met: target && row.failure === undefined && Math.round(judged * 100) <= target.most * 100,
    };
  });
}
