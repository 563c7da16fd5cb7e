/**
 * The figures as text: one table for each section and runtime, a line for each load, a column for each server.
 *
 * @module
 */

/** @typedef {import("./verdicts.mjs").Verdict} Verdict */

/** @param {number} number */
export function short(number) {
  if (!Number.isFinite(number)) return "-";
  const digits = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return number.toFixed(digits);
}

/** What a cell says: the figure of the base, and of the others how it compares. @param {Verdict} verdict */
function cell({ row, value, compared, target, noise, met }) {
  if (row.failure !== undefined) return "failed";
  if (noise) return `${short(value.median)}: noise`;
  if (target?.inAll || compared === undefined) return short(value.median) + judged(target, met);
  const write = row.compare === "difference" ? signed : twoDigits;
  const { median, min, max } = compared;
  return `${write(median)} [${write(min)}..${write(max)}]${judged(target, met)}`;
}

/** @param {number} number */
const twoDigits = (number) => number.toFixed(2);

/** @param {number} number */
const signed = (number) => `${number >= 0 ? "+" : "-"}${short(Math.abs(number))}`;

/** @param {Verdict["target"]} target @param {boolean | undefined} met */
function judged(target, met) {
  if (target === undefined) return "";
  return met ? " met" : ` MISSED ${target.most}`;
}

/**
 * @param {readonly Verdict[]} verdicts
 * @returns {{ title: string, head: string[], lines: string[][] }[]}
 */
export function tables(verdicts) {
  /** @type {Map<string, Verdict[]>} */
  const groups = new Map();
  for (const verdict of verdicts) {
    const { section, runtime, title } = verdict.row;
    const key = `${section}, ${runtime}: ${title}`;
    groups.set(key, [...groups.get(key) ?? [], verdict]);
  }
  return [...groups].map(([title, group]) => {
    const servers = [...new Set(group.map(({ row }) => row.server))];
    const loads = [...new Set(group.map(({ row }) => row.load))];
    return {
      title,
      head: ["load", ...servers, "others"],
      lines: loads.map((load) => {
        const found = group.filter(({ row }) => row.load === load);
        const cells = servers.map((name) => found.find(({ row }) => row.server === name));
        const others = Math.max(...found.map((verdict) => verdict.others));
        return [load, ...cells.map((verdict) => verdict ? cell(verdict) : ""), `${short(others)} %`];
      }),
    };
  });
}

/** @param {readonly Verdict[]} verdicts */
export function asText(verdicts) {
  return tables(verdicts).map(({ title, head, lines }) => {
    const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => (line[i] ?? "").length)));
    const text = [head, ...lines].map((line) =>
      line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("   ").trimEnd()
    );
    return `${title}\n${text.join("\n")}\n`;
  }).join("\n") + `\n${summary(verdicts)}\n`;
}

/** @param {readonly Verdict[]} verdicts */
export function summary(verdicts) {
  const judged = verdicts.filter(({ target }) => target !== undefined);
  const met = judged.filter(({ met }) => met).length, unknown = judged.filter(({ noise }) => noise).length;
  const failed = verdicts.filter(({ row }) => row.failure !== undefined);
  const why = failed.map(({ row }) => `\n${row.section}, ${row.runtime}, ${row.server}: ${row.failure}`);
  const lost = unknown === 0 ? "" : `, ${unknown} not to be told from noise`;
  return `${met} of ${judged.length} targets met${lost}, ${failed.length} loads failed${why.join("")}`;
}
