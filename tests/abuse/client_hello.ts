/**
 * The first message of a TLS client (RFC 8446, section 4.1.2), to begin handshakes with that nobody means to finish.
 *
 * @module
 */

const u16 = (value: number) => [value >> 8, value & 255];
const with16 = (bytes: readonly number[]) => [...u16(bytes.length), ...bytes];
const extension = (type: number, bytes: readonly number[]) => [...u16(type), ...with16(bytes)];

/** X25519, the one group that is offered. */
const X25519 = 0x001d;

/** A hello that any server of TLS 1.3 answers. */
export function clientHello(): Uint8Array {
  const random = [...crypto.getRandomValues(new Uint8Array(32))];
  // A point of the curve: any 32 bytes are one.
  const share = [...crypto.getRandomValues(new Uint8Array(32))];
  const body = [
    ...u16(0x0303),
    ...random,
    0, // No session.
    ...with16([0x1301, 0x1302, 0x1303].flatMap(u16)),
    ...[1, 0], // No compression.
    ...with16([
      ...extension(43, [2, ...u16(0x0304)]), // TLS 1.3.
      ...extension(10, with16(u16(X25519))),
      ...extension(13, with16([0x0403, 0x0804, 0x0401].flatMap(u16))), // Signatures: ECDSA P-256, RSA.
      ...extension(51, with16([...u16(X25519), ...with16(share)])),
    ]),
  ];
  const message = [1, 0, ...u16(body.length), ...body];
  return Uint8Array.from([22, ...u16(0x0301), ...with16(message)]);
}
