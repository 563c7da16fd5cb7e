/**
 * Rules of the conformance suite that a Worker cannot keep, or that nobody can ask of it, with the reason.
 *
 * @module
 */

const LISTENER = "a Worker has no listener: the one that it uses here is the test's own";
const ADDRESS = "the runtime tells no address (see sockets_test.ts)";

/** By name of the test. */
export const CANNOT: Readonly<Record<string, string>> = {
  "an address in use": LISTENER,
  "an error thrown by accept does not harm the listener": LISTENER,
  "nothing is accepted after close": LISTENER,
  "the addresses of both ends match": ADDRESS,
  "a host name is looked up": ADDRESS,
  "nobody there": "the runtime does not tell why a dial failed (see sockets_test.ts)",
  "setNoDelay may be called at any time":
    "small writes always leave at once, and all else is refused (see sockets_test.ts)",
};
