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
 * @property {string} [to] the server it is compared with, if that is not the base
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

/**
 * @param {readonly import("./measure.mjs").Row[]} rows
 * @returns {Verdict[]}
 */
export function judge(rows) {
  return rows.flatMap((row) => {
    const found = TARGETS.filter((target) =>
      target.section === row.section && target.server === row.server &&
      new RegExp(target.load).test(row.load) &&
      (target.runtime ?? row.runtime) === row.runtime
    );
    const toBase = found.find(({ to }) => to === undefined);
    const others = found.filter(({ to }) => to !== undefined).map((target) => {
      const { to = "" } = target;
      return judgeOne({ ...row, server: `${row.server} / ${to}`, base: to }, rows, target);
    });
    return [judgeOne(row, rows, toBase), ...others];
  });
}

/**
 * @param {import("./measure.mjs").Row} row
 * @param {readonly import("./measure.mjs").Row[]} rows
 * @param {Target | undefined} target
 * @returns {Verdict}
 */
function judgeOne(row, rows, target) {
  const base = rows.find((other) =>
    other.section === row.section && other.runtime === row.runtime && other.load === row.load &&
    other.server === row.base && row.server !== row.base
  );
  const ratio = base === undefined ? undefined : ratios(row.values, base.values);
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
    met: target && row.failure === undefined && Math.round(judged * 100) <= Math.round(target.most * 100),
  };
}
