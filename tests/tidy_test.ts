/**
 * Rules about the code itself.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The floors up to the session, from the top. */
const HOUSE = ["session", "connection", "liveness", "protocol", "transport", "time", "errors", "checked"];

/** What a unit of `lib/` may import besides itself. Arrows only go down. */
const LAYERS: Record<string, readonly string[]> = {
  errors: [],
  checked: [],
  on_demand: [],
  time: ["checked"],
  transport: ["time", "errors", "checked"],
  protocol: ["errors", "checked"],
  liveness: ["time", "errors", "checked"],
  connection: HOUSE.slice(2),
  session: ["on_demand", ...HOUSE.slice(1)],
  client: HOUSE,
  server: ["on_demand", ...HOUSE],
  // It stands above all that it helps to test.
  testing: ["server", "session", "transport", "time"],
  cli: ["server", "client", ...HOUSE],
};

/** What those above the transports may know of them; `mod.ts` and the command may know all. */
const TRANSPORT_FRONT = [
  "lib/transport/transport.ts",
  "lib/transport/detect.ts",
  "lib/transport/descriptor_limit.ts",
  "lib/transport/stay_awake.ts",
  "lib/transport/streams.ts",
];

const isAdapter = (path: string): boolean =>
  /^lib\/transport\/(deno|bun|node|workers)(_\w+)?\.ts$/.test(path);

interface Source {
  /** Path from the root. */
  readonly path: string;
  readonly text: string;
  /** The text without its comments. */
  readonly code: string;
  /** Files of ours that it imports, as paths from the root. */
  readonly imports: readonly string[];
  /** Everything else that it imports when it runs. */
  readonly foreign: readonly string[];
}

/** Every file at or below `paths` whose name ends so. */
function sources(paths: readonly string[], ending: RegExp): Source[] {
  return paths.flatMap((path) => filesAt(path)).filter((path) => ending.test(path)).sort().map((path) => {
    const text = readFileSync(ROOT + path, "utf8");
    const code = withoutComments(text);
    const specifiers = [...code.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)"([^"]+)"/g)].map((match) =>
      match[1]!
    );
    const ours = specifiers.filter((specifier) => specifier.startsWith("."));
    const types = [...code.matchAll(/\bimport\s+type\s[^;"]*\bfrom\s+"([^"]+)"/g)].map((match) => match[1]!);
    return {
      path,
      text,
      code,
      imports: ours.map((specifier) => new URL(specifier, `file:///${path}`).pathname.slice(1)),
      foreign: specifiers.filter((specifier) => !specifier.startsWith(".") && !types.includes(specifier)),
    };
  });
}

function filesAt(path: string): string[] {
  const found = statSync(ROOT + path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found === undefined ? [] : [path];
  return readdirSync(ROOT + path).flatMap((name) => filesAt(`${path}/${name}`));
}

function withoutComments(text: string): string {
  const stringOrComment =
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/.*|\/\*[\s\S]*?\*\//g;
  return text.replace(stringOrComment, (token) => token.startsWith("/") ? " " : token);
}

const library = sources(["mod.ts", "lib"], /\.ts$/);
const modules = [...library, ...sources(["tests", "scripts"], /\.(ts|mjs)$/)];
const texts = [
  ...modules,
  ...sources([".ci", ".github", "docs"], /\w$/),
  ...sources(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "deno.json", "package.json"], /\w$/),
];

/** The unit a file of `lib/` belongs to: its folder there, or its own name; any other file is a part of a connection. */
function unit(path: string): string {
  const [, name = "", inside] = path.split("/");
  const own = name.replace(/\.ts$/, "");
  return inside !== undefined || own in LAYERS ? own : "connection";
}

const paths = (list: readonly Source[], offends: (source: Source) => boolean): string[] =>
  list.filter(offends).map(({ path }) => path);

const inLibrary = ({ path }: Source): boolean => path.startsWith("lib/");

test("every folder of the library has its place in the layers", () => {
  assertEquals(paths(library.filter(inLibrary), ({ path }) => !(unit(path) in LAYERS)), []);
});

test("arrows only go down", () => {
  const wrong = library.filter(inLibrary).flatMap(({ path, imports }) =>
    imports
      .filter((to) =>
        !to.startsWith("lib/") || unit(to) !== unit(path) && !LAYERS[unit(path)]?.includes(unit(to))
      )
      .map((to) => `${path} imports ${to}`)
  );
  assertEquals(wrong, []);
});

test("only detect.ts, mod.ts and the command know which transports there are, and testing knows memory", () => {
  const wrong = library.flatMap(({ path, imports }) =>
    path === "mod.ts" || /^lib\/(cli|transport)\//.test(path) ? [] : imports
      .filter((to) => to.startsWith("lib/transport/") && !TRANSPORT_FRONT.includes(to))
      .filter((to) => !(path.startsWith("lib/testing/") && to === "lib/transport/memory.ts"))
      .map((to) => `${path} imports ${to}`)
  );
  assertEquals(wrong, []);
});

/** Bun's own dialling cannot be cancelled, so its transport dials with Node's. */
const REUSES: Record<string, string> = { bun: "node" };

test("a transport does not know the others", () => {
  const name = (path: string) => /^lib\/transport\/(deno|bun|node|workers|memory)(?=[._])/.exec(path)?.[1];
  const wrong = library.flatMap(({ path, imports }) =>
    path === "lib/transport/detect.ts" || !path.startsWith("lib/transport/") ? [] : imports
      .filter((to) =>
        name(to) !== undefined && name(to) !== name(path) && name(to) !== REUSES[name(path) ?? ""]
      )
      .map((to) => `${path} imports ${to}`)
  );
  assertEquals(wrong, []);
});

/** The code without the words in its strings. */
const unquoted = (code: string): string => code.replace(/"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, '""');

test("only a runtime's transport names a runtime", () => {
  const names = /\bDeno\b|\bBun\b|\bBuffer\b|\brequire\(/;
  assertEquals(
    paths(
      library,
      ({ path, code }) =>
        !isAdapter(path) && path !== "lib/transport/detect.ts" && !path.startsWith("lib/cli/") &&
        names.test(unquoted(code)),
    ),
    [],
  );
});

test("only the transports and the command know of a process", () => {
  const allowed = /^lib\/(transport|cli)\//;
  assertEquals(
    paths(library, ({ path, code }) => !allowed.test(path) && /\bprocess\b/.test(unquoted(code))),
    [],
  );
});

test("the library needs nothing but itself, and the command nothing but node: modules", () => {
  assertEquals(
    paths(
      library,
      ({ path, foreign }) =>
        foreign.some((specifier) => !(path.startsWith("lib/cli/") && specifier.startsWith("node:"))),
    ),
    [],
  );
});

test("only the clock, the transports and the command tell time or throw dice", () => {
  const tells =
    /\b(setTimeout|setInterval|setImmediate|performance|Date|Math\.random|AbortSignal\.timeout)\b/;
  const allowed = /^lib\/(time\/clock\.ts|transport\/|cli\/)/;
  assertEquals(paths(library, ({ path, code }) => !allowed.test(path) && tells.test(code)), []);
});

test("the library prints nothing", () => {
  assertEquals(
    paths(library, ({ path, code }) => !path.startsWith("lib/cli/") && /\bconsole\b/.test(code)),
    [],
  );
});

test("every file says what it is for", () => {
  // The name of a test file says which file it tests, and its tests say the rest.
  assertEquals(
    paths(
      modules,
      ({ path, text }) =>
        !path.endsWith("_test.ts") && !/^(?:#!.*\n)?\/\*\*(?:(?!\*\/)[\s\S])*@module\s*\*\//.test(text),
    ),
    [],
  );
});

/** Files that are one class with many small methods, which a cut would only spread. */
const LONG: Record<string, number> = {
  // Their reading and writing share the memory that a chunk is lent from.
  "lib/transport/deno_socket.ts": 450,
  "lib/transport/node_socket.ts": 420,
  // Each joins the parts of one thing, and tells each of them what the others notice.
  "lib/connection/lifeline.ts": 575,
  "lib/server.ts": 420,
  "lib/connection/live_connection.ts": 500,
  "lib/session/lasting_connection.ts": 635,
  // One machine of states, that of a frame.
  "lib/protocol/frames/wire.ts": 380,
};

test("no file is too long to be read in one go", () => {
  // Tests are lists: they are looked up, not read from top to bottom.
  const limit = (path: string) => LONG[path] ?? (path.startsWith("tests/") ? 600 : 360);
  assertEquals(paths(modules, ({ path, text }) => text.split("\n").length > limit(path)), []);
});

test("TypeScript is such that Node can run it as it is", () => {
  const unerasable = /^\s*(export\s+)?(const\s+)?enum\s|^\s*(export\s+)?namespace\s|\bdeclare\s+global\b/m;
  assertEquals(paths(modules, ({ code }) => unerasable.test(code)), []);
});

test("nothing is left undone", () => {
  assertEquals(paths(texts, ({ text }) => /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/.test(text)), []);
});

test("no file names a machine's paths or a package registry", () => {
  const machine = /(^|[\s"'`(=:])\/(work|root|home|Users|tmp)\/\w/m;
  const host = /\bregistry\.|\bnpmjs\.|\bjsr\.io\b/;
  assertEquals(paths(texts, ({ text }) => machine.test(text) || host.test(text)), []);
});
