/**
 * The contract of TLS: what is asked of a transport, what it tells, and the checks that are the same on each.
 *
 * @module
 */

import { duration } from "../checked.ts";

/** A certificate and its key, both in PEM. */
export interface TlsIdentity {
  /** The certificate, followed by those between it and the root if there are any. */
  readonly certificate: string;
  /** Its private key, not encrypted. */
  readonly key: string;
}

/** How a client speaks TLS. */
export interface TlsClientOptions {
  /**
   * The name that the server's certificate must be for, which is also told to the server (SNI) unless it is an IP
   * address. Must be given for a Unix-domain socket.
   *
   * @default the host name of the target
   */
  readonly serverName?: string | undefined;
  /**
   * Certificates of those who may have signed the server's, in PEM: one, or several, in one string or in many. They
   * are trusted *instead of* the runtime's own, not besides them.
   *
   * @default the runtime's own
   */
  readonly ca?: string | readonly string[] | undefined;
  /** The client's own certificate, if the server asks for one. Goes with `key`. */
  readonly certificate?: string | undefined;
  /** The key of `certificate`. */
  readonly key?: string | undefined;
  /**
   * Protocols to be spoken inside (ALPN, RFC 7301), the best first. A server that has a list too and finds none of
   * its own here refuses. @default none
   */
  readonly alpnProtocols?: readonly string[] | undefined;
  /**
   * Takes *any* certificate for *any* name: whoever is on the path can read and change everything. For tests only.
   * Refused together with `ca`. @default {false}
   */
  readonly insecure?: boolean | undefined;
}

/** How a server speaks TLS. */
export interface TlsServerOptions extends TlsIdentity {
  /** Certificates for other server names (SNI), by name; `*.example.org` stands for one label. @default none */
  readonly serverNames?: Readonly<Record<string, TlsIdentity>> | undefined;
  /**
   * Whether clients show a certificate: never asked, asked, or needed. One that is shown must be signed by one of
   * `ca` in any case, or the handshake fails. @default {"none"}
   */
  readonly clientCertificate?: "none" | "optional" | "required" | undefined;
  /** Certificates of those who sign the clients', in PEM. Must be given if clients are asked for theirs. */
  readonly ca?: string | readonly string[] | undefined;
  /**
   * Protocols to be spoken inside (ALPN), the best first. A client that has a list too, with none of these in it, is
   * refused. @default none
   */
  readonly alpnProtocols?: readonly string[] | undefined;
  /**
   * How long a client may take for its handshake, in milliseconds, from when it was accepted. `Infinity` for no limit.
   *
   * @default {5_000} as ranch
   */
  readonly handshakeTimeout?: number | undefined;
}

/** What was agreed on in the handshake, and with whom. */
export interface TlsInfo {
  /** Version of the protocol, as `"TLSv1.3"`; `undefined` if the runtime does not tell. */
  readonly protocol: string | undefined;
  /** What is spoken inside (ALPN); `undefined` if nothing was agreed on. */
  readonly alpnProtocol: string | undefined;
  /** The name that the client asked for (SNI); `undefined` if it asked for none. */
  readonly serverName: string | undefined;
  /** Whether the peer showed a certificate that was verified. */
  readonly authorized: boolean;
  /** The certificate that the peer showed; `undefined` if it showed none, or the runtime does not tell. */
  readonly peerCertificate: PeerCertificate | undefined;
}

/** Facts of a peer's certificate. Only those of an {@linkcode TlsInfo.authorized} peer are more than its own word. */
export interface PeerCertificate {
  /** For whom it is, by the names of its fields: `{ CN: "example.org", O: "Example" }`. */
  readonly subject: Readonly<Record<string, string | readonly string[]>>;
  /** Who signed it. */
  readonly issuer: Readonly<Record<string, string | readonly string[]>>;
  /** Subject alternative names with their kind: `"DNS:example.org"`, `"IP:127.0.0.1"`. */
  readonly subjectAltNames: readonly string[];
  /** From when on it is valid. */
  readonly validFrom: Date;
  /** Until when it is valid. */
  readonly validTo: Date;
  /** SHA-256 of the whole certificate, as `"AB:CD:…"`. */
  readonly fingerprint256: string;
}

/** What a transport can do of TLS. */
export interface TlsCapabilities {
  /** Whether a listener can ask for certificates of clients. */
  readonly clientCertificate: boolean;
  /** Whether a listener can have several certificates, by server name. */
  readonly serverNames: boolean;
  /** Whether a listener's certificate can be replaced while it listens. */
  readonly replaceCertificate: boolean;
  /** Whether the two directions end separately, as they do without TLS. */
  readonly halfClose: boolean;
  /**
   * Whether an end that the peer did not announce (FIN without `close_notify`, which anybody on the path can forge) is
   * told from an orderly one. Where not, it comes as an ordinary end.
   */
  readonly truncation: boolean;
  /** Whether a listener can have something said in plain text before the handshake: a proxy's header. @default {false} */
  readonly plainFirst?: boolean | undefined;
}

/** The parts of a transport that the checks ask. */
interface Facts {
  readonly name: string;
  readonly capabilities: { readonly tls?: TlsCapabilities | undefined };
  /** What to use instead of this transport, if it has no TLS here. */
  readonly withoutTls?: string | undefined;
}

/** Longest name that fits into ALPN's one byte of length. */
const LONGEST_PROTOCOL = 255;

/**
 * Checks the form of what {@linkcode TlsClientOptions} say; whether the PEM is any good is for the engine to say.
 *
 * @throws {TypeError} If a value is wrong, or an option was set that `transport` cannot honour.
 */
export function checkTlsClient(transport: Facts, options: TlsClientOptions, unix: boolean): void {
  checkCan("connect", transport);
  const { serverName, ca, certificate, key, alpnProtocols, insecure } = options;
  if (serverName === undefined ? unix : typeof serverName !== "string" || serverName === "") {
    throw new TypeError(
      `Cannot connect as "tls.serverName" must be a name${unix ? ", and be given for a Unix socket" : ""}: ` +
        `current value is ${show(serverName)}`,
    );
  }
  if ((certificate === undefined) !== (key === undefined)) {
    throw new TypeError(`Cannot connect as "tls.certificate" and "tls.key" must be given together`);
  }
  if (certificate !== undefined) checkText("connect", "tls.certificate", certificate);
  if (key !== undefined) checkText("connect", "tls.key", key);
  if (insecure === true && ca !== undefined) {
    throw new TypeError(`Cannot connect as "tls.insecure" and "tls.ca" must not be given together`);
  }
  checkAuthorities("connect", ca);
  checkProtocols("connect", alpnProtocols);
}

/**
 * Checks the form of what {@linkcode TlsServerOptions} say.
 *
 * @throws {TypeError | RangeError} If a value is wrong, or an option was set that `transport` cannot honour.
 */
export function checkTlsServer(transport: Facts, options: TlsServerOptions): void {
  const can = checkCan("listen", transport);
  const { certificate, key, serverNames, clientCertificate = "none", ca, alpnProtocols, handshakeTimeout } =
    options;
  checkText("listen", "tls.certificate", certificate);
  checkText("listen", "tls.key", key);
  for (const [name, identity] of Object.entries(serverNames ?? {})) {
    checkText("listen", `tls.serverNames["${name}"].certificate`, identity.certificate);
    checkText("listen", `tls.serverNames["${name}"].key`, identity.key);
  }
  if (!["none", "optional", "required"].includes(clientCertificate)) {
    throw new TypeError(
      `Cannot listen as "tls.clientCertificate" must be "none", "optional" or "required": ` +
        `current value is ${show(clientCertificate)}`,
    );
  }
  if ((clientCertificate === "none") !== (ca === undefined)) {
    throw new TypeError(
      `Cannot listen as "tls.ca" must be given if "tls.clientCertificate" is "optional" or "required", ` +
        `and only then: current value of that is "${clientCertificate}"`,
    );
  }
  if (clientCertificate !== "none" && !can.clientCertificate) refuse(transport, `"tls.clientCertificate"`);
  if (serverNames !== undefined && !can.serverNames) refuse(transport, `"tls.serverNames"`);
  checkAuthorities("listen", ca);
  checkProtocols("listen", alpnProtocols);
  if (handshakeTimeout !== undefined) duration("listen", "tls.handshakeTimeout", handshakeTimeout);
}

function checkCan(action: string, { name, capabilities: { tls }, withoutTls }: Facts): TlsCapabilities {
  if (tls !== undefined) return tls;
  const instead = withoutTls === undefined ? "" : `: ${withoutTls}`;
  throw new TypeError(`Cannot ${action} as transport "${name}" cannot honour "tls"${instead}`);
}

function refuse({ name }: Facts, what: string): never {
  throw new TypeError(`Cannot listen as transport "${name}" cannot honour ${what}`);
}

function checkText(action: string, name: string, value: unknown): void {
  if (typeof value === "string" && value.includes("-----BEGIN ")) return;
  // Never the value itself: it may be a key.
  throw new TypeError(`Cannot ${action} as "${name}" must be text in PEM: current value is ${kindOf(value)}`);
}

function checkAuthorities(action: string, ca: string | readonly string[] | undefined): void {
  if (ca === undefined) return;
  const list = typeof ca === "string" ? [ca] : ca;
  if (!Array.isArray(list) || list.length === 0) {
    throw new TypeError(`Cannot ${action} as "tls.ca" must be PEM, or a list of it that is not empty`);
  }
  for (const pem of list) checkText(action, "tls.ca", pem);
}

function checkProtocols(action: string, protocols: readonly string[] | undefined): void {
  if (protocols === undefined) return;
  const wrong = !Array.isArray(protocols) || protocols.length === 0 ||
    protocols.some((name) =>
      typeof name !== "string" || name === "" || new TextEncoder().encode(name).length > LONGEST_PROTOCOL
    );
  if (!wrong) return;
  throw new TypeError(
    `Cannot ${action} as "tls.alpnProtocols" must be a list of names of 1 to ${LONGEST_PROTOCOL} bytes: ` +
      `current value is ${show(protocols)}`,
  );
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function kindOf(value: unknown): string {
  return typeof value === "string" ? "text without PEM" : `of type ${typeof value}`;
}
