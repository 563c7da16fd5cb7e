/**
 * IP addresses as bytes: 4 or 16 of them.
 *
 * Text has many forms for one address, and a limit or a rule that compares text can be walked around.
 *
 * @module
 */

/** The bytes of an IP address in its usual text form, without a zone; `undefined` if it is none. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** An IP address as text; IPv6 in the one form of RFC 5952. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = groupsOf(bytes);
  // The first of the longest runs of zeros is left out; a single zero stays.
  let from = 0, length = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > length) [from, length] = [start, end - start];
  }
  const words = groups.map((group) => group.toString(16));
  if (length === 1) return words.join(":");
  return `${words.slice(0, from).join(":")}::${words.slice(from + length).join(":")}`;
}

/** The IPv4 address in an IPv4-mapped IPv6 address, as a socket that serves both shows it; any other unchanged. */
export function foldIp(bytes: Uint8Array): Uint8Array {
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** The eight groups of an IPv6 address. */
export function groupsOf(bytes: Uint8Array): number[] {
  return Array.from({ length: 8 }, (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!);
}

/** Whether `bytes` are an IPv6 address of `::ffff:0:0/96`. */
export function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  return bytes.subarray(0, 10).every((byte) => byte === 0);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  // No leading zeros: some read them as octal.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const numbers = parts.map(Number);
  return numbers.every((number) => number < 256) ? Uint8Array.from(numbers) : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1]!, true);
  if (head === undefined || tail === undefined) return undefined;
  const given = head.length + tail.length;
  // A "::" stands for one group at least.
  if (halves.length === 1 ? given !== 8 : given > 7) return undefined;
  const bytes = new Uint8Array(16);
  const groups = [...head, ...new Array<number>(8 - given).fill(0), ...tail];
  for (const [i, group] of groups.entries()) bytes.set([group >> 8, group & 0xff], 2 * i);
  return bytes;
}

/** Groups of hexadecimal digits. The `last` of an address may be an IPv4 address. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const words = text.split(":");
  for (const [i, word] of words.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(word)) groups.push(parseInt(word, 16));
    else {
      const ipv4 = last && i === words.length - 1 ? parseIpv4(word) : undefined;
      if (ipv4 === undefined) return undefined;
      groups.push(ipv4[0]! << 8 | ipv4[1]!, ipv4[2]! << 8 | ipv4[3]!);
    }
  }
  return groups;
}
