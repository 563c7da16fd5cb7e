/**
 * What the oldest Node's types lack: Deno, Bun and Node from 22.18 on have it, and where it is absent it is falsy.
 *
 * @module
 */

/** The properties of `import.meta`. */
interface ImportMeta {
  /** Whether this module is the one that was run. */
  main: boolean;
}
