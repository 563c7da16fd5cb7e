/**
 * Certificates that the tests make for themselves: a small DER writer over WebCrypto, so that no program is needed.
 *
 * All keys are ECDSA P-256, all signatures SHA-256: what every runtime's TLS takes.
 *
 * @module
 */

/** A certificate with its key, both in PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
  /** SHA-256 of the certificate, as `AB:CD:…`. */
  readonly fingerprint256: string;
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** What a certificate says. */
export interface Subject {
  /** Common name. */
  readonly name: string;
  /** DNS names that it is for. */
  readonly dns?: readonly string[];
  /** IPv4 addresses that it is for. */
  readonly ip?: readonly string[];
  /** First and last day, in days from now. @default {[-1, 30]} */
  readonly days?: readonly [from: number, to: number];
}

/** One that signs certificates. */
export interface Authority {
  /** Its own certificate in PEM, to be trusted. */
  readonly certificate: string;
  issue(subject: Subject): Promise<Identity>;
}

/** All that the tests of TLS need. */
export interface Certificates {
  readonly authority: Authority;
  /** One whom nobody knows. */
  readonly stranger: Authority;
  /** For `localhost`, `127.0.0.1` and `::1`. */
  readonly server: Identity;
  /** For `other.test` only. */
  readonly other: Identity;
  /** As {@linkcode server}, with another key: what one is replaced with. */
  readonly renewed: Identity;
  /** As {@linkcode server}, but its time is over. */
  readonly expired: Identity;
  /** As {@linkcode server}, signed by the stranger. */
  readonly unknown: Identity;
  /** A client's. */
  readonly client: Identity;
  /** A client's, signed by the stranger. */
  readonly unknownClient: Identity;
}

let made: Promise<Certificates> | undefined;

/** The certificates of this process, made when first asked for. */
export function certificates(): Promise<Certificates> {
  return made ??= make();
}

async function make(): Promise<Certificates> {
  const [authority, stranger] = await Promise.all([
    makeAuthority("Holdfast Test"),
    makeAuthority("Stranger"),
  ]);
  const here: Subject = {
    name: "localhost",
    dns: ["localhost"],
    ip: ["127.0.0.1", "0:0:0:0:0:0:0:1"],
  };
  const [server, other, renewed, expired, unknown, client, unknownClient] = await Promise.all([
    authority.issue(here),
    authority.issue({ name: "other.test", dns: ["other.test"] }),
    authority.issue({ ...here, name: "renewed" }),
    authority.issue({ ...here, days: [-30, -1] }),
    stranger.issue(here),
    authority.issue({ name: "a client", dns: ["client.test"] }),
    stranger.issue({ name: "a client", dns: ["client.test"] }),
  ]);
  return { authority, stranger, server, other, renewed, expired, unknown, client, unknownClient };
}

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Makes one that signs certificates, with a certificate signed by itself. */
export async function makeAuthority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const subject: Subject = { name, days: [-365, 365] };
  const own = await sign(subject, keys.publicKey, name, keys.privateKey, true);
  return {
    certificate: own.pem,
    async issue(subject) {
      const { publicKey, privateKey } = await newKeys();
      const { der, pem, validFrom, validTo } = await sign(subject, publicKey, name, keys.privateKey, false);
      const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", der));
      return {
        certificate: pem,
        key: toPem("PRIVATE KEY", pkcs8),
        fingerprint256: Array.from(digest, hex).join(":").toUpperCase(),
        validFrom,
        validTo,
      };
    },
  };
}

interface Keys {
  readonly publicKey: Key;
  readonly privateKey: Key;
}

/** A key of WebCrypto, whatever the ambient types call it. */
type Key = Parameters<typeof crypto.subtle.exportKey>[1];

async function newKeys(): Promise<Keys> {
  return await crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]) as Keys;
}

/** A certificate for `subject` and its key, signed by `issuer` (RFC 5280, section 4.1). */
async function sign(
  subject: Subject,
  publicKey: Key,
  issuer: string,
  issuerKey: Key,
  authority: boolean,
): Promise<{ der: Uint8Array<ArrayBuffer>; pem: string; validFrom: Date; validTo: Date }> {
  const [from, to] = subject.days ?? [-1, 30];
  const validFrom = dayFromNow(from);
  const validTo = dayFromNow(to);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const serial = crypto.getRandomValues(new Uint8Array(8));
  serial[0] = serial[0]! & 0x7f | 0x40; // Positive, and as short as can be.
  const toBeSigned = sequence(
    der(0xa0, der(0x02, [2])), // Version 3.
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    nameOf(issuer),
    sequence(time(validFrom), time(validTo)),
    nameOf(subject.name),
    spki,
    der(0xa3, sequence(...extensions(subject, authority))),
  );
  const raw = new Uint8Array(await crypto.subtle.sign(ECDSA, issuerKey, toBeSigned));
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  const whole = sequence(toBeSigned, ECDSA_WITH_SHA256, der(0x03, [0], signature));
  return { der: whole, pem: toPem("CERTIFICATE", whole), validFrom, validTo };
}

function extensions({ dns = [], ip = [] }: Subject, authority: boolean): Uint8Array[] {
  const constraints = extension("2.5.29.19", sequence(...(authority ? [der(0x01, [0xff])] : [])), true);
  if (authority) return [constraints, extension("2.5.29.15", der(0x03, [1, 0x06]), true)];
  const names = [
    ...dns.map((name) => der(0x82, ascii(name))),
    ...ip.map((address) => der(0x87, addressBytes(address))),
  ];
  return [
    constraints,
    extension("2.5.29.15", der(0x03, [7, 0x80]), true), // To sign.
    extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"))), // As server and client.
    extension("2.5.29.17", sequence(...names)),
  ];
}

function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(oid(id), ...(critical ? [der(0x01, [0xff])] : []), der(0x04, value));
}

function nameOf(commonName: string): Uint8Array {
  return sequence(der(0x31, sequence(oid("2.5.4.3"), der(0x0c, ascii(commonName)))));
}

function addressBytes(address: string): number[] {
  if (address.includes(".")) return address.split(".").map(Number);
  return address.split(":").flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}

/** Midnight, UTC. */
function dayFromNow(days: number): Date {
  const day = 86_400_000;
  return new Date((Math.floor(Date.now() / day) + days) * day);
}

function time(date: Date): Uint8Array {
  return der(0x17, ascii(`${date.toISOString().slice(2, 19).replace(/[-T:]/g, "")}Z`));
}

/** One element: its tag, its length, and what is in it. */
function der(tag: number, ...parts: (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  const whole = new Uint8Array(1 + length.length + size);
  whole.set([tag, ...length]);
  let at = 1 + length.length;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function sequence(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return der(0x30, ...parts);
}

/** A positive number, without needless zeros in front. */
function integer(bytes: Uint8Array): Uint8Array {
  let first = 0;
  while (first < bytes.length - 1 && bytes[first] === 0) first++;
  const digits = bytes.subarray(first);
  return digits[0]! < 0x80 ? der(0x02, digits) : der(0x02, [0], digits);
}

function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift(left & 0x7f | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, bytes);
}

const ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

function toPem(label: string, bytes: Uint8Array): string {
  const lines = btoa(String.fromCharCode(...bytes)).match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
