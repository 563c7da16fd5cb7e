/**
 * What a runtime reported, as this module says it: the one place that knows how runtimes name errors.
 *
 * Errors are told apart by their `code`, and by their name where Deno gives no code; never by `errno`,
 * whose sign differs between runtimes.
 *
 * @module
 */

import { ConnectionError } from "../errors.ts";
import type { Address } from "./transport.ts";

/** The system's codes in words, for messages. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "address not available on this machine",
  EAFNOSUPPORT: "address family not supported",
  EAGAIN: "the listener's backlog is full",
  EAI_AGAIN: "name could not be looked up for now",
  ECONNABORTED: "connection aborted",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  EINVAL: "invalid argument",
  EMFILE: "too many open files in this process",
  ENAMETOOLONG: "path too long",
  ENETUNREACH: "network unreachable",
  ENFILE: "too many open files in the system",
  ENOENT: "no such file",
  ENOTDIR: "part of the path is not a folder",
  ENOTFOUND: "name not found",
  ENOTSOCK: "not a socket",
  EPERM: "operation not permitted",
  EPIPE: "peer has closed",
  EPROTO: "protocol error",
  ETIMEDOUT: "the system gave up waiting",
};

/** Deno's error classes, for those of its errors that carry no code. */
const CODES: Readonly<Record<string, string>> = {
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  BrokenPipe: "EPIPE",
  ConnectionAborted: "ECONNABORTED",
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  TimedOut: "ETIMEDOUT",
};

/** OpenSSL's and BoringSSL's way to say a reason: `error:0A00010B:SSL routines:ssl3_get_record:wrong version number`. */
const OPENSSL = /\berror:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/i;

/** An address as messages show it: `127.0.0.1:80`, `[::1]:80`, `/run/app.sock`. */
export function describe(address: Address): string {
  if ("path" in address) return address.path || "an unnamed Unix socket";
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** What the system called `error`, as `"ECONNRESET"`; `undefined` if it has no such name. */
export function systemCodeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code, name, message, errors } = error as Partial<AggregateError> & { code?: unknown };
  if (typeof code === "string" && /^E[A-Z0-9_]+$/.test(code) && !code.startsWith("ERR_")) return code;
  if (name !== undefined && Object.hasOwn(CODES, name)) return CODES[name];
  // Deno's look-up of a name fails with a bare Error. Its text is getaddrinfo's own.
  if (message?.startsWith("failed to lookup address information")) {
    return /temporary/i.test(message) ? "EAI_AGAIN" : "ENOTFOUND";
  }
  // A name with several addresses, of which none answered.
  return Array.isArray(errors) && errors.length > 0 ? systemCodeOf(errors[0]) : undefined;
}

/** Tells why no connection to `target` could be made. `cause` is what the runtime reported. */
export function connectFailed(target: Address, cause: unknown): ConnectionError {
  const systemCode = systemCodeOf(cause);
  const code = systemCode === "ETIMEDOUT" ? "connect-timeout" : "connect-failed";
  return new ConnectionError(code, `Cannot connect to ${describe(target)}: ${explain(cause)}`, {
    cause,
    systemCode,
  });
}

/** Tells that no connection to `target` was made within `timeout` milliseconds. */
export function connectTimedOut(target: Address, timeout: number): ConnectionError {
  return new ConnectionError(
    "connect-timeout",
    `Cannot connect to ${describe(target)}: no answer in ${timeout} ms`,
  );
}

/** Tells why `target` could not be listened on. `cause` is what the runtime reported. */
export function listenFailed(target: Address, cause: unknown): ConnectionError {
  return new ConnectionError("listen-failed", `Cannot listen on ${describe(target)}: ${explain(cause)}`, {
    cause,
    origin: "local",
    systemCode: systemCodeOf(cause),
  });
}

/** Tells why a listener on `address` died although nobody closed it. */
export function listenerDied(address: Address, cause: unknown): ConnectionError {
  return new ConnectionError("listen-failed", `Listener on ${describe(address)} died: ${explain(cause)}`, {
    cause,
    origin: "local",
    systemCode: systemCodeOf(cause),
  });
}

/**
 * The error of a socket's end, with a `code` in any case: `cause` itself if it has one, and otherwise an
 * `Error` that carries the code found for it, or `fallback`.
 */
export function socketError(cause: unknown, fallback = "ECONNRESET"): Error {
  if (cause instanceof Error && typeof (cause as { code?: unknown }).code === "string") return cause;
  const code = systemCodeOf(cause) ?? fallback;
  const message = WORDS[code] ?? "socket failed";
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  return Object.assign(error, { code });
}

/** Says `cause` in one clause, with the system's code in brackets where there is one. */
export function explain(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof Error && cause.name === "NotCapable") {
    const flag = message.match(/--allow-[a-z]+/)?.[0] ?? "--allow-net";
    return `Deno was not given the permission, run it with ${flag}`;
  }
  const code = systemCodeOf(cause);
  if (code === undefined) return message.match(OPENSSL)?.[1]?.toLowerCase().replaceAll("_", " ") ?? message;
  return `${WORDS[code] ?? message} (${code})`;
}
