/**
 * Breaks the rules of the liveness core, one at a time, and shows that a test goes red for each.
 *
 *     npm run mutate                        all of them; writes docs/mutations.md
 *     npm run mutate -- --only "write stall"   some of them; writes nothing
 *
 * The tests run on copies of the tree in a temporary folder: the checkout itself is never touched. It fails if a mutation
 * survives, or if its text is not found exactly once any more.
 *
 * @module
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";
import { CORE } from "./mutate/core.ts";
import { DRIVERS } from "./mutate/drivers.ts";
import { mistakeOf, type Mutation } from "./mutate/mutation.ts";
import { run } from "./test/process.mjs";
import { filesBelow, root, tools } from "./test/tools.mjs";

/** Mutations that are tried at a time. */
const JOBS = 2;

/** How long the tests may take under one mutation, in milliseconds: many a mutation makes them go on for ever. */
const LIMIT = 60_000;

const LOG = "docs/mutations.md";

/** What the tests need of the tree. */
const NEEDED = ["lib", "tests", "mod.ts", "deno.json", "package.json", "tsconfig.json"];

/** The fast tests: units, and connections over fake sockets. Those which look at texts or weigh memory are not among them. */
const TESTS = filesBelow("tests", "_test.ts").filter((file) =>
  /^tests\/(connection\/|liveness\/|time\/|\w+$)/.test(file.replace(/\.ts$/, "")) &&
  !/_(docs|memory|mutations|page|pages|readme|recipes|surface|table|tidy)_test/.test(
    file.replace("tests/", "_"),
  )
);

/** The one module that a copy runs: a process for each test file would take five times as long. */
const ENTRY = "mutated.ts";

/** What became of a mutation: `killer` is the first test that failed, if one did. */
interface Outcome {
  readonly mutation: Mutation;
  readonly killer?: string;
  /** How many tests failed besides. */
  readonly others: number;
}

/** A copy of the tree in `folder`. */
class Copy {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    for (const path of NEEDED) cpSync(join(root, path), join(folder, path), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, ENTRY), TESTS.map((file) => `import "./${file}";\n`).join(""));
  }

  /** Runs the tests. Returns the names of those which failed; one that stands for all if none could say so. */
  async test(): Promise<string[]> {
    const args = ["--import", "tsx", "--test-reporter=tap", ENTRY];
    const { code, output, timedOut } = await run(tools.node, args, { limit: LIMIT, cwd: this.#folder });
    const results = output.split(/^(?=(?:not )?ok \d+ - )/m).filter((result) => result.startsWith("not ok"));
    // A test that waits for ever ends the process, and takes with it those which would have come after it.
    const failed = results.filter((result, i) => i === 0 || !result.includes("cancelledByParent"))
      .map((result) => /^not ok \d+ - (.*)/.exec(result)![1]!.replace(/\\(.)/g, "$1"));
    if (failed.length > 0) return failed;
    if (timedOut) return ["(the tests did not end)"];
    return code === 0 ? [] : [`(the tests ended with code ${code})`];
  }

  /** Runs the tests under `mutation`, and takes it back. */
  async try({ file, from, to }: Mutation): Promise<string[]> {
    const path = join(this.#folder, file), text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(from, () => to));
    try {
      return await this.test();
    } finally {
      writeFileSync(path, text);
    }
  }
}

function report(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ mutation: { name, file }, killer, others }) => {
    const more = others === 0 ? "" : `, and ${others} more`;
    return `| ${name} | \`${file.replace("lib/", "")}\` | ${
      killer?.replaceAll("|", "\\|") ?? "**SURVIVED**"
    }${more} |`;
  });
  const killed = outcomes.filter(({ killer }) => killer !== undefined).length;
  return `# Mutations

Written by \`npm run mutate\`: do not edit. Each line is a rule of the liveness core that was broken on purpose, as
\`scripts/mutate/\` has it, and the first test that failed for it. ${killed} of ${outcomes.length} were killed.

| Broken rule | File | Killed by |
| --- | --- | --- |
${rows.join("\n")}
`;
}

const { values: { only } } = parseArgs({ options: { only: { type: "string" } } });
const chosen = [...CORE, ...DRIVERS].filter(({ name, file }) =>
  only === undefined || `${name} ${file}`.includes(only)
);
const mistakes = chosen.flatMap((mutation) => {
  const mistake = mistakeOf(mutation, readFileSync(join(root, mutation.file), "utf8"));
  return mistake === undefined ? [] : [`"${mutation.name}" does not apply: ${mistake}`];
});
if (chosen.length === 0) mistakes.push(`no mutation is called "${only}"`);
if (mistakes.length > 0) {
  for (const mistake of mistakes) console.error(mistake);
  process.exit(1);
}

const start = performance.now();
const folder = mkdtempSync(join(tmpdir(), "holdfast-mutate-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const copies = Array.from({ length: JOBS }, (_, i) => new Copy(join(folder, `${i}`)));
const broken = await copies[0]!.test();
if (broken.length > 0) {
  console.error(`Without any mutation these fail: ${broken.join("; ")}`);
  process.exit(1);
}

const outcomes = new Map<Mutation, Outcome>();
const queue = chosen.slice();
await Promise.all(copies.map(async (copy) => {
  for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
    const [killer, ...others] = await copy.try(mutation);
    outcomes.set(mutation, { mutation, others: others.length, ...(killer !== undefined && { killer }) });
    const fate = killer === undefined ? "SURVIVED" : `killed by "${killer}"`;
    console.log(`${mutation.file.replace("lib/", "")}: ${mutation.name}: ${fate}`);
  }
}));

const all = chosen.map((mutation) => outcomes.get(mutation)!);
const survivors = all.filter(({ killer }) => killer === undefined).length;
if (only === undefined) {
  writeFileSync(join(root, LOG), report(all));
  await run(tools.deno, ["fmt", "--quiet", LOG], { limit: LIMIT, cwd: root });
}
const seconds = Math.round((performance.now() - start) / 1_000);
console.log(`\n${all.length - survivors} killed, ${survivors} survived, in ${seconds} s`);
process.exit(survivors === 0 ? 0 : 1);
