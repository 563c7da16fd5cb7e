/**
 * TLS over `node:tls`, which Node, Bun and Deno all have: contexts, handshakes, and what they brought.
 *
 * Deno's and Bun's own TLS will not do: neither replaces a certificate, Deno asks no client for one and tells nothing of a
 * peer's, and a `Deno.TlsConn` that is closed during its handshake, or with bytes in waiting, lives on for as long as
 * its peer likes.
 *
 * @module
 */

import type crypto from "node:crypto";
import type net from "node:net";
import type { Duplex } from "node:stream";
import type tls from "node:tls";
import type { PeerCertificate, TlsClientOptions, TlsIdentity, TlsInfo, TlsServerOptions } from "./tls.ts";

/** The part of `process` used here. */
interface ProcessLike {
  getBuiltinModule(id: "node:crypto"): typeof crypto;
  getBuiltinModule(id: "node:net"): typeof net;
  getBuiltinModule(id: "node:tls"): typeof tls;
}

/**
 * Takes over a socket whose peer is known to be who it should be. Called in the very turn in which that is known, as the
 * next may bring the socket's end.
 */
export type Taker<T> = (socket: tls.TLSSocket, info: TlsInfo) => T;

/** One side of TLS over one stream. */
export interface Session<T> {
  readonly socket: tls.TLSSocket;
  /** Resolves to what was made of the socket. Nothing is harmed if nobody looks at it. */
  readonly opened: Promise<T>;
}

/** Speaks TLS as a client. May be used for many connections. */
export class TlsClient {
  readonly #options: TlsClientOptions;
  readonly #context: tls.SecureContext;

  /** @throws {TypeError} If what `options` has in PEM is no good. */
  constructor(options: TlsClientOptions) {
    const { ca, certificate, key } = options;
    const cas = parseAuthorities("connect", ca);
    if (certificate !== undefined) parseIdentity("connect", "tls", { certificate, key: key! });
    this.#options = options;
    this.#context = builtin("tls").createSecureContext({
      ...(cas && { ca: cas }),
      ...(certificate !== undefined && { cert: certificate, key }),
    });
  }

  /** Begins a handshake over `stream`. `hostname` is whom it leads to. */
  open<T>(stream: Duplex, hostname: string, take: Taker<T>): Session<T> {
    const { serverName: name = hostname, alpnProtocols, insecure = false } = this.#options;
    const { connect, checkServerIdentity } = builtin("tls");
    const isAddress = builtin("net").isIP(name) !== 0;
    const socket = connect({
      socket: stream,
      secureContext: this.#context,
      host: name,
      servername: isAddress ? "" : name,
      checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
      rejectUnauthorized: !insecure,
      ...(alpnProtocols && { ALPNProtocols: [...alpnProtocols] }),
    });
    return begin(socket, "secureConnect", take, () => {
      const authorized = socket.authorized === true;
      if (!authorized && !insecure) return new Error("the server's certificate was not verified");
      return infoOf(socket, authorized, isAddress ? undefined : name);
    });
  }
}

const clients = new WeakMap<object, TlsClient>();
const DEFAULTS: TlsClientOptions = {};

/** The client for `options`: the same for the same object, as what it trusts takes long to read. */
export function tlsClient(options: TlsClientOptions | true): TlsClient {
  const key = options === true ? DEFAULTS : options;
  const known = clients.get(key);
  if (known !== undefined) return known;
  const made = new TlsClient(key);
  clients.set(key, made);
  return made;
}

/** Speaks TLS as the server of one listener. */
export class TlsServer {
  readonly #options: TlsServerOptions;
  #context: tls.SecureContext;
  /** Contexts by server name, in lower case. */
  #contexts: ReadonlyMap<string, tls.SecureContext>;

  /** @throws {TypeError} If what `options` has in PEM is no good. */
  constructor(options: TlsServerOptions) {
    this.#options = options;
    parseAuthorities("listen", options.ca);
    this.#context = this.#contextOf("tls", options);
    this.#contexts = this.#contextsOf(options.serverNames ?? {});
  }

  /** See {@linkcode Listener.replaceCertificate}. */
  replace(identity: TlsIdentity & Pick<TlsServerOptions, "serverNames">): void {
    const context = this.#contextOf("tls", identity);
    if (identity.serverNames !== undefined) this.#contexts = this.#contextsOf(identity.serverNames);
    this.#context = context;
  }

  /** Begins a handshake over `stream`. */
  open<T>(stream: Duplex, take: Taker<T>): Session<T> {
    const { clientCertificate = "none", alpnProtocols } = this.#options;
    const socket = new (builtin("tls").TLSSocket)(stream as net.Socket, {
      isServer: true,
      secureContext: this.#context,
      SNICallback: (name, give) => give(null, this.#find(name)),
      requestCert: clientCertificate !== "none",
      rejectUnauthorized: clientCertificate === "required",
      ...(alpnProtocols && { ALPNProtocols: [...alpnProtocols] }),
    });
    return begin(socket, "secure", take, () => {
      const name = (socket as { servername?: string | false | null }).servername;
      const serverName = typeof name === "string" && name !== "" ? name : undefined;
      if (clientCertificate === "none") return infoOf(socket, false, serverName);
      const shown = certificateOf(socket) !== undefined;
      if (!shown && clientCertificate === "required") return failure("the client showed no certificate");
      const wrong = shown ? verifyError(socket) : undefined;
      if (wrong !== undefined) return failure(`the client's certificate was not verified: ${wrong}`, wrong);
      return infoOf(socket, shown, serverName);
    });
  }

  #find(name: string): tls.SecureContext | undefined {
    const wanted = name.toLowerCase();
    return this.#contexts.get(wanted) ?? this.#contexts.get(wanted.replace(/^[^.]+/, "*"));
  }

  #contextOf(where: string, { certificate, key }: TlsIdentity): tls.SecureContext {
    parseIdentity("listen", where, { certificate, key });
    const { ca } = this.#options;
    return builtin("tls").createSecureContext({
      cert: certificate,
      key,
      // Without it, OpenSSL takes no session back from clients that have shown a certificate.
      sessionIdContext: "holdfast",
      ...(ca !== undefined && { ca: typeof ca === "string" ? ca : [...ca] }),
    });
  }

  #contextsOf(names: Readonly<Record<string, TlsIdentity>>): Map<string, tls.SecureContext> {
    return new Map(
      Object.entries(names).map(([name, identity]) => [
        name.toLowerCase(),
        this.#contextOf(`tls.serverNames["${name}"]`, identity),
      ]),
    );
  }
}

/** Watches over the handshake of `socket`. `judge` looks at what it brought. */
function begin<T>(
  socket: tls.TLSSocket,
  event: "secureConnect" | "secure",
  take: Taker<T>,
  judge: () => TlsInfo | Error,
): Session<T> {
  const opened = new Promise<T>((resolve, reject) => {
    let done = false;
    const fail = (error: Error) => {
      done = true;
      reject(error);
    };
    socket.once(event, () => {
      if (done) return;
      done = true;
      const verdict = judge();
      if (!(verdict instanceof Error)) return resolve(take(socket, verdict));
      reject(verdict);
      socket.destroy();
    });
    // A socket whose other end has gone may emit an error at any time, and nobody is to be hurt by it.
    socket.on("error", fail);
    // A server's socket that nobody took from a tls.Server tells of errors only so.
    socket.on("_tlsError", (error: Error) => {
      if (done) socket.destroy(error);
      else fail(error);
    });
    const gone = () => done || fail(failure("the peer went away during the handshake", "ECONNRESET"));
    socket.once("end", gone);
    socket.once("close", gone);
  });
  opened.catch(() => {});
  return { socket, opened };
}

function failure(message: string, code?: string): Error {
  return Object.assign(new Error(message), code !== undefined && { code });
}

/** Why the peer's certificate was not verified: a code of OpenSSL's. */
function verifyError(socket: tls.TLSSocket): string | undefined {
  // What tls.Server itself asks. A runtime that does not answer has verified nothing.
  const { ssl } = socket as { ssl?: { verifyError?(): unknown } };
  if (typeof ssl?.verifyError !== "function") return "the runtime does not tell";
  const error = ssl.verifyError();
  if (error === null || error === undefined || error === "") return undefined;
  return typeof error === "string" ? error : String((error as { code?: unknown }).code ?? error);
}

function infoOf(socket: tls.TLSSocket, authorized: boolean, serverName: string | undefined): TlsInfo {
  const { alpnProtocol } = socket;
  return {
    protocol: socket.getProtocol() ?? undefined,
    alpnProtocol: typeof alpnProtocol === "string" && alpnProtocol !== "" ? alpnProtocol : undefined,
    serverName,
    authorized,
    peerCertificate: certificateOf(socket),
  };
}

function certificateOf(socket: tls.TLSSocket): PeerCertificate | undefined {
  const raw = socket.getPeerCertificate() as Partial<tls.PeerCertificate> | null | undefined;
  if (!raw?.fingerprint256) return undefined;
  return {
    subject: fieldsOf(raw.subject),
    issuer: fieldsOf(raw.issuer),
    subjectAltNames: splitNames(raw.subjectaltname ?? ""),
    validFrom: new Date(raw.valid_from!),
    validTo: new Date(raw.valid_to!),
    fingerprint256: raw.fingerprint256,
  };
}

/** A name as a plain object. */
function fieldsOf(name: object = {}): Record<string, string | readonly string[]> {
  return Object.fromEntries(Object.entries(name).filter(([, value]) => value !== undefined));
}

/** Splits `DNS:a, IP Address:127.0.0.1`; a value with a comma in it comes as a JSON string (CVE-2021-44532). */
export function splitNames(text: string): string[] {
  const names = text.match(/[^:,]+:(?:"(?:\\.|[^"\\])*"|[^,])*/g) ?? [];
  return names.map((name) => {
    const [, kind = "", value = ""] = /^\s*([^:]+):([\s\S]*)$/.exec(name) ?? [];
    return `${kind === "IP Address" ? "IP" : kind}:${value.startsWith('"') ? JSON.parse(value) : value}`;
  });
}

/** @throws {TypeError} If one of `ca` is no certificate. Runtimes take no notice of such. */
function parseAuthorities(action: string, ca: string | readonly string[] | undefined): string[] | undefined {
  if (ca === undefined) return undefined;
  const { X509Certificate } = builtin("crypto");
  return (typeof ca === "string" ? [ca] : ca).map((pem) => {
    const parts = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [pem];
    for (const part of parts) {
      attempt(action, "tls.ca", "a certificate in PEM", () => new X509Certificate(part));
    }
    return pem;
  });
}

/** @throws {TypeError} If `identity` is not a certificate and its key. Deno's own error comes only to the peers. */
function parseIdentity(action: string, where: string, { certificate, key }: TlsIdentity): void {
  const { X509Certificate, createPrivateKey } = builtin("crypto");
  const parsed = attempt(
    action,
    `${where}.certificate`,
    "a certificate in PEM",
    () => new X509Certificate(certificate),
  );
  const secret = attempt(action, `${where}.key`, "a key in PEM, not encrypted", () => createPrivateKey(key));
  if (parsed.checkPrivateKey(secret)) return;
  throw new TypeError(`Cannot ${action} as "${where}.key" must be the key of "${where}.certificate"`);
}

function attempt<T>(action: string, name: string, rule: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new TypeError(`Cannot ${action} as "${name}" must be ${rule}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

interface Modules {
  readonly crypto: typeof crypto;
  readonly net: typeof net;
  readonly tls: typeof tls;
}

/** A module of Node's, looked for only when it is used. */
function builtin<Name extends keyof Modules>(name: Name): Modules[Name] {
  const { process } = globalThis as unknown as { process: ProcessLike };
  return (process.getBuiltinModule as (id: string) => Modules[Name])(`node:${name}`);
}
