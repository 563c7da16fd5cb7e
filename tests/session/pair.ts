/**
 * A server and a client that comes back, on a memory network and a clock that stands still.
 *
 * @module
 */

import { connect, type ConnectOptions } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { type ConnectionHandler, serve, type ServeOptions } from "../../lib/server.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import type { Target, Transport } from "../../lib/transport/transport.ts";

/** A message of frames(). */
export type Message = Uint8Array | string;

/** Where the server is. */
export const WHERE = { hostname: "server.test", port: 7 };

/** A port that is not {@linkcode WHERE}. */
export const at = (port: number) => ({ hostname: "server.test", port });

/** A network whose dials are written down: when, and to which port. */
export function world(random: () => number = () => 0) {
  const clock = new FakeClock(0, random);
  const network = memoryNetwork({ clock });
  const dials: [at: number, port: number][] = [];
  const transport: Transport = {
    name: "memory",
    capabilities: network.transport.capabilities,
    connect(target, options) {
      dials.push([clock.now(), "port" in target ? target.port : 0]);
      return network.transport.connect(target, options);
    },
    listen: (target, options) => network.transport.listen!(target, options),
  };
  return { clock, network, transport, dials };
}

/** What {@linkcode world} gives. */
export type World = ReturnType<typeof world>;

/** A server of frames that writes down what it gets, and answers what `answer` says. */
export async function serving(
  { clock, transport }: World,
  options: ServeOptions<Message, Message> = {},
  answer: (message: Message, connection: Connection<Message, Message>) => unknown = () => {},
  target: { hostname: string; port: number } = WHERE,
) {
  const got: Message[] = [];
  const handled: Connection<Message, Message>[] = [];
  const errors: unknown[] = [];
  const handler: ConnectionHandler<Message, Message> = (connection) => {
    handled.push(connection);
    connection.onMessage = (message) => {
      got.push(typeof message === "string" ? message : message.slice());
      return answer(message, connection);
    };
  };
  const server = await serve({
    ...target,
    transport,
    clock,
    protocol: frames(),
    heartbeat: false,
    onError: (error) => void errors.push(error),
    ...options,
  }, handler);
  return { server, got, handled, errors };
}

/** Connects, and comes back unless `options` say otherwise. */
export function dialled(
  world: World,
  options: ConnectOptions<Message, Message> = {},
  target: Target | readonly Target[] = WHERE,
): Promise<Connection<Message, Message>> {
  return world.clock.until(dialling(world, options, target));
}

/** As {@linkcode dialled}, and leaves the time to the test. */
export function dialling(
  { clock, transport }: World,
  options: ConnectOptions<Message, Message> = {},
  target: Target | readonly Target[] = WHERE,
): Promise<Connection<Message, Message>> {
  return connect(target, {
    transport,
    clock,
    protocol: frames(),
    heartbeat: false,
    reconnect: true,
    ...options,
  });
}

/** Both ends of a session. */
export async function sessionOf(
  options: {
    readonly client?: ConnectOptions<Message, Message>;
    readonly server?: ServeOptions<Message, Message>;
    readonly answer?: (message: Message, connection: Connection<Message, Message>) => unknown;
    readonly world?: World;
  } = {},
) {
  const { client, server, answer, world: given = world() } = options;
  const far = await serving(given, { resume: true, ...server }, answer);
  const connection = await dialled(given, { resume: true, ...client });
  const back: Message[] = [];
  connection.onMessage = (message) => void back.push(typeof message === "string" ? message : message.slice());
  return { ...given, world: given, ...far, connection, back };
}

/** The numbers from `from` to `to` as messages. */
export const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

/** Says hello as a client would that comes back with `ticket`. Returns what the server grants. */
export async function comeBack(
  given: World,
  ticket: { id: Uint8Array; secret: Uint8Array },
  received = 0,
) {
  const socket = await given.clock.until(given.transport.connect(WHERE));
  const wire = frames().open("client");
  const seen: string[] = [];
  let granted: { resumed: boolean; received: number } | undefined;
  socket.start({
    data(chunk) {
      wire.receive(chunk, {
        message: (message) => seen.push(`${message}`),
        ping() {},
        pong() {},
        hello: ({ session }) => granted = session,
        farewell: ({ code }) => seen.push(`close ${code}`),
      });
    },
    written() {},
    end() {},
    close() {},
  });
  const session = { resumed: true, ticket, received, window: 0 };
  socket.write(wire.greet!({ sendEvery: 0, hearEvery: 0, minPingGap: 0, session }));
  await given.clock.run(100);
  return { granted: () => granted, seen, socket };
}

/** The ticket that the session of `connection` has: what it would tell when it comes back. */
export function ticketOf(connection: Connection<Message, Message>) {
  const { ticket } = connection.hello!.session!;
  return { id: ticket!.id.slice(), secret: ticket!.secret.slice() };
}
