/**
 * What the figures come to: medians, ratios to the base, and whether each target is met.
 *
 * @module
 */

import { readFileSync } from "node:fs";

import { differences, median, ratios, spread } from "./statistics.mjs";

/**
 * @typedef {object} Target
 * @property {string} section
 * @property {string} load a pattern
 * @property {string} server
 * @property {string} [runtime] all of them if it is absent
 * @property {number} most
 * @property {string} [to] the server it is compared with, if that is not the base
 * @property {true} [inAll] the figure itself must not be more, not what it is of the base
 */

/** @type {readonly Target[]} */
const TARGETS = JSON.parse(readFileSync(new URL("targets.json", import.meta.url), "utf8"));

/**
 * @typedef {object} Verdict
 * @property {import("./measure.mjs").Row} row
 * @property {import("./statistics.mjs").Spread} value
 * @property {import("./statistics.mjs").Spread | undefined} compared with the base, as the row says; absent for the base
 * @property {number | undefined} rate messages a second
 * @property {number | undefined} rateRatio what that is of the base's
 * @property {number} others
 * @property {Target | undefined} target
 * @property {boolean} noise a figure of nothing, or less, was measured, and so a ratio says nothing
 * @property {boolean | undefined} met not known if there is only noise
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
    const toBase = found.find(({ to, inAll }) => to === undefined && (!inAll || row.base === ""));
    const more = found.filter((target) => target !== toBase).map((target) => {
      const { to = "" } = target;
      const server = target.inAll ? `${row.server}, in all` : `${row.server} / ${to}`;
      return judgeOne({ ...row, server, base: to }, rows, target);
    });
    return [judgeOne(row, rows, toBase), ...more];
  });
}

/**
 * The row that another is compared with.
 *
 * @param {import("./measure.mjs").Row} row
 * @param {readonly import("./measure.mjs").Row[]} rows
 */
function baseOf(row, rows) {
  const group = rows.filter((other) =>
    other.section === row.section && other.runtime === row.runtime && other.title === row.title
  );
  if (row.compare !== "growth") {
    return group.find((other) =>
      other.load === row.load && other.server === row.base && row.server !== row.base
    );
  }
  const first = group.find((other) => other.server === row.server);
  return first?.load === row.load ? undefined : first;
}

/**
 * @param {import("./measure.mjs").Row} row
 * @param {readonly import("./measure.mjs").Row[]} rows
 * @param {Target | undefined} target
 * @returns {Verdict}
 */
function judgeOne(row, rows, target) {
  const base = baseOf(row, rows);
  const against = row.compare === "difference" ? differences : ratios;
  const compared = base === undefined ? undefined : against(row.values, base.values);
  const value = spread(row.values);
  const noise = compared !== undefined && against === ratios &&
    [...row.values, ...base?.values ?? []].some((figure) => figure <= 0);
  const judged = (target?.inAll ? value : compared)?.median ?? NaN;
  const rate = median(row.rates);
  return {
    row,
    value,
    compared,
    rate: Number.isNaN(rate) ? undefined : rate,
    rateRatio: base === undefined || Number.isNaN(rate) ? undefined : ratios(row.rates, base.rates).median,
    others: median(row.others),
    target,
    noise,
    // Two digits are what is shown, and more than the measurement is good for.
    met: !target || noise
      ? undefined
      : row.failure === undefined && Math.round(judged * 100) <= Math.round(target.most * 100),
  };
}
