/**
 * Checks of the options that every transport takes, so that a mistake gets the same answer on each.
 *
 * @module
 */

import { duration } from "../checked.ts";
import { checkTlsClient, checkTlsServer } from "./tls.ts";
import type {
  Address,
  Capabilities,
  ConnectOptions,
  ListenOptions,
  TcpKeepAlive,
  Transport,
} from "./transport.ts";

/** The part of a transport that the checks ask. */
type Facts = Pick<Transport, "name" | "capabilities"> & {
  /** What to use instead, if this transport has no TLS here. */
  readonly withoutTls?: string | undefined;
};

/**
 * Checks what {@linkcode Transport.connect} was given.
 *
 * @throws {TypeError | RangeError} If a value is wrong, or an option was set that `transport` cannot honour.
 */
export function checkConnect(transport: Facts, target: Address, options: ConnectOptions): void {
  checkTarget("connect", transport, target, 1);
  const { timeout, tcpKeepAlive = false, tls } = options;
  if (timeout !== undefined) duration("connect", "timeout", timeout);
  checkTcpKeepAlive(transport, tcpKeepAlive, "path" in target);
  if (tls !== undefined) checkTlsClient(transport, tls === true ? {} : tls, "path" in target);
}

/**
 * Checks what {@linkcode Transport.listen} was given.
 *
 * @throws {TypeError | RangeError} If a value is wrong, or an option was set that `transport` cannot honour.
 */
export function checkListen(transport: Facts, target: Address, options: ListenOptions): void {
  checkTarget("listen", transport, target, 0);
  const { accept, backlog, reusePort = false, tcpKeepAlive = false, tls } = options;
  if (typeof accept !== "function") {
    throw new TypeError(`Cannot listen as "accept" must be a function: current value is ${accept}`);
  }
  if (options.beforeTls !== undefined) {
    if (tls === undefined) throw new TypeError(`Cannot listen as "beforeTls" needs "tls": there is none`);
    const { tls: can } = transport.capabilities;
    if (can !== undefined && can.plainFirst !== true) refuse(transport, "listen", `"beforeTls"`);
  }
  if (backlog !== undefined) {
    if (!Number.isInteger(backlog) || backlog < 1) {
      throw new RangeError(
        `Cannot listen as "backlog" must be a whole number > 0: current value is ${backlog}`,
      );
    }
    if (!transport.capabilities.backlog) refuse(transport, "listen", `"backlog"`);
  }
  if (reusePort) {
    if (!transport.capabilities.reusePort) refuse(transport, "listen", `"reusePort"`);
    if ("path" in target) throw new TypeError(`Cannot listen as a Unix socket has no "reusePort"`);
  }
  checkTcpKeepAlive(transport, tcpKeepAlive, "path" in target);
  if (tls !== undefined) checkTlsServer(transport, tls);
}

/**
 * Checks a setting of {@linkcode TcpKeepAlive} for a socket on `transport`; `unix` says of which kind.
 *
 * @throws {TypeError} If `transport` or the kind of socket cannot honour it.
 * @throws {RangeError} If the delay is not a number of whole seconds.
 */
export function checkTcpKeepAlive(transport: Facts, setting: TcpKeepAlive, unix: boolean): void {
  if (setting === false) return;
  if (unix) throw new TypeError(`Cannot set "tcpKeepAlive" as a Unix socket has none`);
  const { tcpKeepAlive, tcpKeepAliveDelay }: Capabilities = transport.capabilities;
  if (setting === true) {
    if (!tcpKeepAlive) refuse(transport, "set", `"tcpKeepAlive"`);
    return;
  }
  const { initialDelay } = setting;
  if (!Number.isInteger(initialDelay / 1000) || initialDelay < 1000) {
    throw new RangeError(
      `Cannot set "tcpKeepAlive" as "initialDelay" must be whole seconds in milliseconds, at least 1000: ` +
        `current value is ${initialDelay}`,
    );
  }
  if (!tcpKeepAliveDelay) refuse(transport, "set", `"tcpKeepAlive.initialDelay"`);
}

function checkTarget(action: string, transport: Facts, target: Address, lowest: number): void {
  if ("path" in target) {
    if (typeof target.path !== "string" || target.path === "") {
      throw new TypeError(`Cannot ${action} as "path" must not be empty: current value is "${target.path}"`);
    }
    if (!transport.capabilities.unix) refuse(transport, action, "a Unix socket");
    return;
  }
  const { hostname, port } = target;
  if (typeof hostname !== "string" || hostname === "") {
    throw new TypeError(`Cannot ${action} as "hostname" must not be empty: current value is "${hostname}"`);
  }
  if (!Number.isInteger(port) || port < lowest || port > 65_535) {
    throw new RangeError(
      `Cannot ${action} as "port" must be a whole number from ${lowest} to 65535: current value is ${port}`,
    );
  }
}

function refuse({ name }: Facts, action: string, what: string): never {
  throw new TypeError(`Cannot ${action} as transport "${name}" cannot honour ${what}`);
}
