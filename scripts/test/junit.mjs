/**
 * Reads the JUnit reports that all three runtimes write.
 *
 * Only what we count by is read: the names of the test cases, and which of them failed or were skipped.
 *
 * @module
 */

/**
 * @typedef {object} Report
 * @property {string[]} passed names of the tests that passed
 * @property {string[]} failed names of the tests that failed
 * @property {{ name: string, why: string }[]} skipped the tests that did not run; `why` may be empty
 */

/** One tag, whose quoted attributes may hold a `>`: Node does not escape it. */
const TAG = /<(\/?)(testcase|failure|error|skipped)\b((?:[^>"]|"[^"]*")*?)(\/?)>/g;

/** @type {Record<string, string>} */
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#10": "\n" };

/**
 * @param {string} attributes
 * @param {string} name
 */
function attribute(attributes, name) {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value.replace(/&(#?\w+);/g, (whole, entity) => ENTITIES[entity] ?? whole);
}

/**
 * @param {string} xml
 * @returns {Report}
 */
export function parseJunit(xml) {
  /** @type {Report} */
  const report = { passed: [], failed: [], skipped: [] };
  /** @type {{ name: string, failed: boolean, skipped: string | undefined } | undefined} */
  let current;

  const finish = () => {
    if (current === undefined) return;
    if (current.failed) report.failed.push(current.name);
    else if (current.skipped !== undefined) report.skipped.push({ name: current.name, why: current.skipped });
    else report.passed.push(current.name);
    current = undefined;
  };

  for (const [, closing, tag, attributes = "", empty] of xml.matchAll(TAG)) {
    if (tag === "testcase") {
      finish();
      if (closing) continue;
      current = { name: attribute(attributes, "name"), failed: false, skipped: undefined };
      if (empty) finish();
    } else if (current !== undefined && !closing) {
      if (tag === "skipped") current.skipped = attribute(attributes, "message").replace(/^true$/, "");
      else current.failed = true;
    }
  }
  finish();
  return report;
}
