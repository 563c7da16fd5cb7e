/**
 * A connection between a test and a {@linkcode FakeSocket}, on a {@linkcode FakeClock}.
 *
 * @module
 */

import type { ConnectionOptions } from "../../lib/connection.ts";
import { connectionPolicy } from "../../lib/connection/policy.ts";
import type { CloseReason } from "../../lib/errors.ts";
import { LiveConnection } from "../../lib/connection/live_connection.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { FakeSocket } from "./fake_socket.ts";

/** What a test of one connection works with. */
export interface Live<In, Out> {
  readonly clock: FakeClock;
  readonly socket: FakeSocket;
  readonly connection: LiveConnection<In, Out>;
  /** The reasons for which the connection ended: one in the end, if all is well. */
  readonly ends: CloseReason[];
}

/** Opens a connection at instant 0 with no heartbeat unless `options` say so. */
export function live<In = Uint8Array, Out = Uint8Array | string>(
  options: ConnectionOptions<In, Out> = {},
  clock: FakeClock = new FakeClock(),
): Live<In, Out> {
  const socket = new FakeSocket();
  const ends: CloseReason[] = [];
  const policy = connectionPolicy({ action: "test", role: "client" }, {
    heartbeat: false,
    clock,
    ...options,
  });
  const connection = new LiveConnection(socket, policy, { ended: (_, reason) => ends.push(reason) });
  connection.start();
  return { clock, socket, connection, ends };
}

/** Lets everything that waits only for promises happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await undefined;
}
