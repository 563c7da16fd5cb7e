/**
 * docs/performance.md, from the figures of a run.
 *
 * @module
 */

import { summary, tables } from "./report.mjs";

/** What each section measures. @type {Record<string, [title: string, text: string]>} */
const SECTIONS = {
  echo: [
    "Raw bytes",
    "Each chunk is sent back. 50 × 16 is 50 connections with 16 messages under way on each. `streams` is " +
    "`toStreams()` with `pipeTo`. `raw, onread` reads as our busy sockets do, by fields that Node does not " +
    "document for accepted sockets.",
  ],
  forms: [
    "What an iterator and streams cost by themselves",
    "`least` are an iterator and streams over sockets that have nothing besides (`raw/least.ts`): no limits, no " +
    "back-pressure, no ends. More than that is ours; the rest is the price of promises, of memory that is the " +
    "receiver's own, and of the runtime's streams.",
  ],
  frames: [
    "Frames",
    "The raw server sends and takes the same frames and does nothing else: no hello, no pings, no limits. The " +
    "WebSocket servers are `ws` on Node, `Deno.upgradeWebSocket` and `Bun.serve`.",
  ],
  sessions: ["Sessions", "What `resume` adds to frames."],
  churn: ["Connections made and closed", "Each carries one message."],
  idle: [
    "Idle connections",
    "Memory that is not pages of files, with a heartbeat every 10 s. The raw server's in all, and how much more the " +
    "others take.",
  ],
  heartbeats: [
    "Heartbeats",
    "A heartbeat a second on each of 10 000 connections. The raw server has one timer that writes to all.",
  ],
  growth: [
    "Many connections",
    "What is shown for 18 000 connections is the ratio to 1 000. Deno (2.9.6) lets 128 reads succeed in each turn of " +
    "its event loop, and asks all others that are ready again in the next, for nothing: hence its figures, by hand, too.",
  ],
  timers: [
    "Deadlines",
    "1 000 000 on the wheel; the stall is that of 100 000 that fall due within a second.",
  ],
  reconnect: ["Coming back", "1 000 clients whose server is killed and started again."],
};

/** @param {string} cell */
const escaped = (cell) => cell.replaceAll("|", "\\|");

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} lines */
function table(head, lines) {
  const rows = [head, head.map((_, i) => i === 0 ? "---" : "--:"), ...lines.map((line) => line.map(escaped))];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/**
 * @param {import("./run.mjs").Figures} figures
 * @param {readonly import("./verdicts.mjs").Verdict[]} verdicts
 */
export function page({ date, machine, settings }, verdicts) {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const left = Object.entries(SECTIONS).filter(([name]) => !verdicts.some(({ row }) => row.section === name));
  const leftOut = left.length === 0
    ? ""
    : `\n\nNot measured in this run: ${left.map(([, [title]]) => title.toLowerCase()).join(", ")}.`;
  const parts = Object.entries(SECTIONS).flatMap(([section, [title, text]]) => {
    const found = verdicts.filter(({ row }) => row.section === section);
    if (found.length === 0) return [];
    return [
      `## ${title}\n\n${text}`,
      ...tables(found).map(({ title, head, lines }) => `${title}\n\n${table(head, lines)}`),
    ];
  });
  return `# Performance

What the library costs over sockets by hand. This page is written by \`npm run bench -- --write\`; do not edit it.

Measured on ${date}: ${machine.system}, ${machine.processor}, ${machine.cores} cores, ${machine.gibibytes} GiB; ${versions}.
${settings.rounds} rounds of ${settings.seconds} s for each load, the server on one core and the load on another.

Servers take turns under the same load, half a second each, and where there are 1 000 connections these are a
second old before it counts. The first column with figures has the figure itself,
the median of the rounds; the others are ratios to it unless said otherwise: the median of the rounds, with the
lowest and the highest. Targets are marked \`met\` or \`MISSED\`, with what the ratio should be; where a round
measured nothing, or less, there is only the figure, and \`noise\`. \`others\` is the CPU time, in % of a core,
that other programs took meanwhile: where it is high, only the ratios mean something, and they not much.

${summary(verdicts)}${leftOut}

${parts.join("\n\n")}
`;
}
