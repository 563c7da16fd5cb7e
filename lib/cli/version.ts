/**
 * The version of the command.
 *
 * @module
 */

/** The version of this package. A test compares it with deno.json, which cannot be read without a permission. */
export const VERSION: string = "0.1.0";
