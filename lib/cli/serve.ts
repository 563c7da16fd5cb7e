/**
 * `holdfast serve`: the demo server. It answers in upper case and beats, on every connection at once.
 *
 * @module
 */

import type { Connection } from "../connection.ts";
import type { HeartbeatOptions } from "../liveness/heartbeat_policy.ts";
import { lines } from "../protocol/lines.ts";
import { raw } from "../protocol/raw.ts";
import { type ConnectionHandler, serve, type ServeOptions } from "../server.ts";
import { type Command, defineCommand } from "./command.ts";
import { PING, PONG, TOKEN, upperCase, upperCaseLine } from "./demo.ts";
import { inPlainWords, whyEnded } from "./failure.ts";
import { forbidFrames, framesWith } from "./framed.ts";
import type { Host } from "./host.ts";
import { LIMIT_OPTIONS, limitsOf } from "./limits.ts";
import { choice, duration, flag, integer, text, UsageError, type Values } from "./options.ts";
import { SERVER_TLS, serverTls, tlsFailure } from "./secured.ts";
import type { Address } from "../transport/transport.ts";
import { untilCut } from "./signals.ts";
import { writeAddress, writeDuration, writeSize } from "./units.ts";
import { VERSION } from "./version.ts";

const NAME = "holdfast serve";

const OPTIONS = {
  host: text("address to listen on; 0.0.0.0 or :: for the whole network", "ADDRESS", "127.0.0.1"),
  port: integer("port to listen on; 0 for any free one", "8888", 0, 65_535),
  unix: text("listen on a Unix socket instead", "PATH"),
  protocol: choice("bytes as they come, lines of UTF-8 text, or frames", ["raw", "lines", "frames"], "raw"),
  interval: duration("beat this often; a peer that is silent for longer is in question", "10s"),
  timeout: duration("give a peer in question this long, then drop it (default: for ever; frames: 10s)"),
  "no-heartbeat": flag("send no heartbeats; those received are swallowed all the same"),
  match: choice(
    "raw: a heartbeat is a chunk of nothing else, or found anywhere",
    ["chunk", "anywhere"],
    "chunk",
  ),
  resume: flag("frames: keep sessions, so that nothing is lost when a client comes back"),
  key: text("frames: a file with the secret that heartbeats are keyed with", "FILE"),
  ...SERVER_TLS,
  ...LIMIT_OPTIONS,
  "idle-timeout": duration("end a connection that passes no data for this long (default: never)"),
  "drain-timeout": duration("on SIGINT or SIGTERM: how long connections may take to finish", "15s"),
  verbose: flag("tell of every connection, on standard error"),
};

type ServeValues = Values<typeof OPTIONS>;

/** `holdfast serve`. */
export const serveCommand: Command = defineCommand({
  summary: "answer in upper case, and beat (the default)",
  usage: "holdfast serve [OPTIONS]",
  about: `Sends back what it receives with the ASCII letters in upper case. On each connection it sends
${TOKEN} (raw) or a ${PING} line (lines) at every interval, and swallows those that it receives; with frames it asks
peers that are silent for that long.`,
  options: OPTIONS,
  notes: `A duration is 400ms, 10s, 2m, 1h or plain milliseconds; a size is 64k, 1m, 1g or plain bytes.
A peer that takes no bytes is dropped in any case, after 30 s or, if that is less, interval and timeout.
SIGINT and SIGTERM let connections finish; a second one cuts them off.`,

  async run({ values, given, positionals }, host) {
    if (positionals.length > 0) {
      throw new UsageError(`${NAME}: unexpected argument ${JSON.stringify(positionals[0])}`);
    }
    forbid(given, "unix", ["host", "port"]);
    forbid(given, "no-heartbeat", ["interval", "timeout"]);
    if (values.protocol !== "raw" && given.has("match")) {
      throw new UsageError(`${NAME}: --match is for the raw protocol`);
    }
    const common = { ...limitsOf(NAME, values, given), tls: await serverTls(NAME, values) };
    const { "max-message": longest } = values;
    if (values.protocol === "frames") {
      const protocol = await framesWith(NAME, values.key, longest);
      return await run(values, { ...common, protocol, resume: values.resume }, shoutMessage, host);
    }
    forbidFrames(NAME, given);
    if (values.protocol === "lines") {
      const protocol = lines({
        ping: PING,
        pong: PONG,
        ...(longest !== undefined && { maxLineBytes: longest }),
      });
      return await run(values, { ...common, protocol }, shoutLine, host);
    }
    const protocol = raw({ token: TOKEN, match: values.match });
    return await run(values, { ...common, protocol }, shout, host);
  },
});

// One function each for all connections. What `send` returns holds further messages back while the peer does
// not read what it is sent.

function shout(bytes: Uint8Array, connection: Connection<Uint8Array, Uint8Array | string>): Promise<void> {
  return connection.send(upperCase(bytes));
}

function shoutLine(line: string, connection: Connection<string>): Promise<void> {
  const loud = upperCaseLine(line);
  // In upper case these would be heartbeats.
  return connection.send(loud === PING || loud === PONG ? line : loud);
}

function shoutMessage(
  message: Uint8Array | string,
  connection: Connection<Uint8Array | string>,
): Promise<void> {
  return connection.send(typeof message === "string" ? upperCaseLine(message) : upperCase(message));
}

async function run<In, Out>(
  values: ServeValues,
  options: Partial<ServeOptions<In, Out>>,
  answer: (message: In, connection: Connection<In, Out>) => unknown,
  host: Host,
): Promise<number> {
  const handler: ConnectionHandler<In, Out> = (connection) => {
    connection.onMessage = answer;
    if (values.verbose) watch(connection, host);
  };
  const server = await serve(
    {
      ...(values.unix === undefined ? { hostname: values.host, port: values.port } : { path: values.unix }),
      ...options,
      heartbeat: heartbeatOf(values),
      idleTimeout: values["idle-timeout"],
      drainTimeout: values["drain-timeout"],
      onError(error, connection) {
        const where = connection === undefined ? "" : `${label(connection)} `;
        host.tell(`holdfast: ${where}${error instanceof Error ? error.message : error}`);
      },
    },
    handler,
  ).catch((error) => {
    throw inPlainWords(tlsFailure(error), values.unix !== undefined);
  });

  let draining = false;
  return await untilCut(
    host,
    {
      begin(signal) {
        draining = true;
        const { now } = server.stats();
        if (now > 0) {
          host.tell(
            `holdfast: ${signal}: ${connections(now)} may finish, within ${
              writeDuration(values["drain-timeout"])
            }; once more cuts off`,
          );
        }
        void server.drain();
      },
      cut: (signal) => server.abort(new Error(signal)),
    },
    async () => {
      await host.output(`${banner(server.address, values)}\n`);
      await server.closed;
      const cutOff = server.stats().ended.aborted ?? 0;
      if (draining && cutOff > 0) host.tell(`holdfast: ${connections(cutOff)} had to be cut off`);
      // Nobody asked it to end: the listener died, and `onError` has told why.
      return draining ? 0 : 1;
    },
  );
}

function heartbeatOf(values: ServeValues): HeartbeatOptions | false {
  if (values["no-heartbeat"]) return false;
  const { interval, timeout = Infinity } = values;
  // Who speaks frames answers when asked.
  if (values.protocol === "frames") return { interval, timeout: timeoutOf(values)! };
  // Steady, as simple heartbeat servers are: it beats whether or not data was sent.
  return { interval, timeout, sendEvery: interval, steady: true };
}

/** The first line: what listens where, how it beats, and what becomes of silent peers. */
function banner(address: Address, values: ServeValues): string {
  const { protocol, interval } = values, timeout = timeoutOf(values);
  const beat = protocol === "frames" ? "asks" : protocol === "raw" ? `"${TOKEN}"` : PING;
  return [
    `holdfast ${VERSION} listening on ${writeAddress(address)}`,
    `protocol ${protocol}`,
    ...(values["tls-cert"] === undefined
      ? []
      : [values["tls-ca"] === undefined ? "TLS" : "TLS for clients with a certificate"]),
    ...(values["proxy-protocol"] === undefined ? [] : [`behind ${values["proxy-protocol"].join(" and ")}`]),
    ...(values.resume ? [`sessions kept for ${writeDuration(120_000)}`] : []),
    ...(values.key === undefined ? [] : ["keyed heartbeats"]),
    values["no-heartbeat"] ? "no heartbeat" : `${beat} every ${writeDuration(interval)}`,
    timeout !== undefined
      ? `peers silent for ${writeDuration(interval + timeout)} are dropped`
      : `no verdict on silent peers${values["no-heartbeat"] ? "" : " (set --timeout)"}`,
  ].join(", ");
}

/** How long a peer that was asked has; `undefined` for ever. */
function timeoutOf({ protocol, timeout, "no-heartbeat": none }: ServeValues): number | undefined {
  return timeout ?? (protocol === "frames" && !none ? 10_000 : undefined);
}

/** Tells of a connection's beginning and end. */
function watch<In, Out>(connection: Connection<In, Out>, host: Host): void {
  const name = label(connection);
  const openedAt = performance.now();
  host.tell(`${name} opened`);
  void connection.closed.then((reason) => {
    const { bytesReceived, bytesSent } = connection.stats();
    const lived = writeDuration(performance.now() - openedAt);
    host.tell(
      `${name} ended after ${lived}: ${whyEnded(reason)}, ${writeSize(bytesReceived)} in, ${
        writeSize(bytesSent)
      } out`,
    );
  });
}

function label<In, Out>({ id, remoteAddress }: Connection<In, Out>): string {
  return `#${id} ${writeAddress(remoteAddress)}`;
}

function connections(count: number): string {
  return count === 1 ? "1 connection" : `${count} connections`;
}

/** @throws {UsageError} If `option` was given together with one of `others`. */
function forbid(given: ReadonlySet<string>, option: string, others: readonly string[]): void {
  const other = given.has(option) ? others.find((other) => given.has(other)) : undefined;
  if (other !== undefined) throw new UsageError(`${NAME}: --${option} and --${other} exclude each other`);
}
