/**
 * Tables of options: parsing, complaints, help.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { commandHelp } from "../../lib/cli/help.ts";
import {
  choice,
  duration,
  flag,
  integer,
  type OptionTable,
  readArguments,
  size,
  text,
  UsageError,
} from "../../lib/cli/options.ts";

const TABLE = {
  interval: duration("how often", "10s"),
  timeout: duration("how long"),
  port: integer("where", "80", 0, 65_535),
  buffer: size("how much", "4m", 1024),
  host: text("who", "ADDRESS", "localhost"),
  unix: text("which file", "PATH"),
  match: choice("which way", ["chunk", "anywhere"], "chunk"),
  "no-heartbeat": flag("be quiet"),
  verbose: flag("be loud", "V"),
} satisfies OptionTable;

const read = (...args: string[]) => readArguments("holdfast try", TABLE, args);

/** The one line that is said of `args`. */
const complaint = (...args: string[]) => assertThrows(() => read(...args), UsageError).message;

test("readArguments() fills in the defaults", () => {
  const { values, given, positionals } = read();
  assertEquals(values, {
    interval: 10_000,
    timeout: undefined,
    port: 80,
    buffer: 4_194_304,
    host: "localhost",
    unix: undefined,
    match: "chunk",
    "no-heartbeat": false,
    verbose: false,
  });
  assertStrictEquals(given.size, 0);
  assertEquals(positionals, []);
});

test("readArguments() reads what is given, in both forms, and says what was", () => {
  const { values, given, positionals } = read(
    "a",
    "--interval",
    "400ms",
    "--port=0",
    "-V",
    "--no-heartbeat",
    "b",
  );
  assertStrictEquals(values.interval, 400);
  assertStrictEquals(values.port, 0);
  assertStrictEquals(values.verbose, true);
  assertStrictEquals(values["no-heartbeat"], true);
  assertEquals([...given].sort(), ["interval", "no-heartbeat", "port", "verbose"]);
  assertEquals(positionals, ["a", "b"]);
});

test("readArguments() takes the last of several", () => {
  assertStrictEquals(read("--interval", "1s", "--interval", "2s").values.interval, 2000);
});

test("readArguments() names the option, the rule and the value seen", () => {
  assertStrictEquals(
    complaint("--interval", "ten"),
    'holdfast try: --interval must be a duration such as 400ms, 10s or 2m: got "ten"',
  );
  assertStrictEquals(complaint("--interval", "0"), 'holdfast try: --interval must be 1ms or longer: got "0"');
  assertStrictEquals(
    complaint("--interval=-5"),
    'holdfast try: --interval must be a duration such as 400ms, 10s or 2m: got "-5"',
  );
  assertStrictEquals(
    complaint("--port", "65536"),
    'holdfast try: --port must be a whole number from 0 to 65535: got "65536"',
  );
  assertStrictEquals(complaint("--buffer", "1"), 'holdfast try: --buffer must be at least 1 KiB: got "1"');
  assertStrictEquals(
    complaint("--match", "all"),
    'holdfast try: --match must be chunk or anywhere: got "all"',
  );
  assertStrictEquals(complaint("--host="), 'holdfast try: --host must not be empty: got ""');
});

test("readArguments() says in one line what parseArgs says in several, and where help is", () => {
  assertStrictEquals(complaint("--bogus"), "holdfast try: unknown option --bogus (see holdfast try --help)");
  assertStrictEquals(
    complaint("--bogus=1"),
    "holdfast try: unknown option --bogus (see holdfast try --help)",
  );
  assertStrictEquals(complaint("-x"), "holdfast try: unknown option -x (see holdfast try --help)");
  assertStrictEquals(complaint("-Vx"), "holdfast try: unknown option -x (see holdfast try --help)");
  assertStrictEquals(
    complaint("--interval"),
    "holdfast try: --interval needs a value, DURATION (see holdfast try --help)",
  );
  assertStrictEquals(
    complaint("--interval", "--verbose"),
    "holdfast try: --interval needs a value, DURATION; one that begins with a dash is written --interval=VALUE " +
      "(see holdfast try --help)",
  );
  assertStrictEquals(
    complaint("--verbose=1"),
    "holdfast try: --verbose takes no value (see holdfast try --help)",
  );
});

test("readArguments() is not fooled by names that every object has", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    assertStrictEquals(
      complaint(`--${name}`),
      `holdfast try: unknown option --${name} (see holdfast try --help)`,
    );
  }
});

test("commandHelp() shows every option with its default", () => {
  const help = commandHelp({ usage: "holdfast try", about: "Tries.", options: TABLE, notes: "Try it." });
  assertStrictEquals(
    help,
    `usage: holdfast try

Tries.

options:
  --interval DURATION           how often (default 10s)
  --timeout DURATION            how long
  --port NUMBER                 where (default 80)
  --buffer SIZE                 how much (default 4m)
  --host ADDRESS                who (default localhost)
  --unix PATH                   which file
  --match chunk|anywhere        which way (default chunk)
  --no-heartbeat                be quiet
  -V, --verbose                 be loud

Try it.
`,
  );
});
