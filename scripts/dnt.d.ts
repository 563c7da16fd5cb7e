/**
 * The part of dnt 0.43.2, from its documentation, that `build_npm.ts` uses.
 *
 * JSR, where dnt is, cannot be reached from everywhere. The checks of this repository take this file in its place,
 * so that what we ask of dnt is at least of the right shape.
 *
 * @module
 */

/** A module or a program of the package. */
export interface EntryPoint {
  /** `"bin"` makes it a program, with `#!/usr/bin/env node` before it. @default {"export"} */
  kind?: "bin" | "export";
  /** Its name in `exports` or in `bin`. */
  name?: string;
  /** Where its source is, relative to `cwd`. */
  path: string;
}

/** What can be put in the place of globals that Node does not have. An empty object is nothing. */
export interface ShimOptions {
  /** The `Deno` namespace: in the package, or only in its tests. */
  deno?: boolean | "dev" | { test: boolean | "dev" };
}

/** The package.json to be written. What dnt works out itself is added. */
export interface PackageJson {
  name: string;
  version: string;
  devDependencies?: { [name: string]: string };
  [field: string]: unknown;
}

/** What is to be built, and how. */
export interface BuildOptions {
  entryPoints: (string | EntryPoint)[];
  /** Where the package goes. It is not emptied before; see {@linkcode emptyDir}. */
  outDir: string;
  shims: ShimOptions;
  package: PackageJson;
  /** What paths are relative to, and where tests are looked for. @default the current directory */
  cwd?: string;
  /** Whether the types of the output are checked: as ESM, as CommonJS too, or not. @default {"single"} */
  typeCheck?: "both" | "single" | false;
  /** Runs the tests that it finds, as ESM and as CommonJS. @default {true} */
  test?: boolean;
  /** How the tests are run: all in one process, or each file in its own. @default {"none"} */
  testIsolation?: "process" | "none";
  /** Where declarations go: beside the code, or into a folder that ESM and CommonJS share. @default {"inline"} */
  declaration?: "inline" | "separate" | false;
  /** What is made besides ESM. @default {"cjs"} */
  scriptModule?: "cjs" | "umd" | false;
  /** Leaves out the folder with the sources as they were before they were compiled. @default {false} */
  skipSourceOutput?: boolean;
  compilerOptions?: {
    target?: "ES2020" | "ES2021" | "ES2022" | "ES2023" | "Latest";
    lib?: ("ES2022" | "ES2023" | "ESNext" | "ESNext.Disposable" | "DOM" | "DOM.Iterable")[];
    noUncheckedIndexedAccess?: boolean;
    skipLibCheck?: boolean;
    useUnknownInCatchVariables?: boolean;
  };
  /** Called after everything was written, and before the tests are run. */
  postBuild?: () => void | Promise<void>;
}

/** Builds the package. Rejects if types are wrong or a test fails. */
export function build(options: BuildOptions): Promise<void>;

/** Creates a folder, or removes all that is in it. */
export function emptyDir(path: string): Promise<void>;
