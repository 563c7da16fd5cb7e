/**
 * `holdfast connect`: standard input to a server, what it sends to standard output, heartbeats kept out and
 * answered.
 *
 * @module
 */

import { connect } from "../client.ts";
import type { Connection } from "../connection.ts";
import type { HeartbeatOptions } from "../liveness/heartbeat_policy.ts";
import type { Address } from "../transport/transport.ts";
import { type Command, defineCommand } from "./command.ts";
import { type Dialect, framesDialect, linesDialect, rawDialect } from "./dialect.ts";
import { agreementOf, forbidFrames, framesWith } from "./framed.ts";
import { Failure, inPlainWords, whyEnded } from "./failure.ts";
import type { Host, Input } from "./host.ts";
import { type Arguments, choice, duration, flag, readValue, text, UsageError } from "./options.ts";
import { CLIENT_TLS, clientTls, tlsFailure } from "./secured.ts";
import { untilCut } from "./signals.ts";
import { readTarget, writeAddress, writeDuration, writeSize } from "./units.ts";

const NAME = "holdfast connect";

const OPTIONS = {
  protocol: choice("bytes as they come, lines of UTF-8 text, or frames", ["raw", "lines", "frames"], "raw"),
  match: choice(
    "raw: a heartbeat is a chunk of nothing else, or found anywhere",
    ["chunk", "anywhere"],
    "anywhere",
  ),
  interval: duration("ask a server that is silent for this long; never without this or --timeout", "10s"),
  timeout: duration("give a server that was asked this long, then fail (default: for ever)"),
  "connect-timeout": duration("how long dialling may take", "5s"),
  reconnect: flag("come back when the connection is lost"),
  resume: flag("frames: lose nothing on the way; the server must have --resume too"),
  key: text("frames: a file with the secret that heartbeats are keyed with", "FILE"),
  ...CLIENT_TLS,
  verbose: flag("tell of the connection, on standard error"),
};

/** `holdfast connect`. */
export const connectCommand: Command = defineCommand({
  summary: "pipe standard input to a server, and what it sends to standard output",
  usage: "holdfast connect [OPTIONS] HOST:PORT|unix:PATH",
  about:
    `Sends standard input to the server and prints what it sends, without the heartbeats, which are answered.
At the end of the input it tells the server, and prints on until the server has finished too.`,
  options: OPTIONS,
  notes: `A duration is 400ms, 10s, 2m, 1h or plain milliseconds. An IPv6 address is written [::1]:8888.
Answers to heartbeats wait while data is sent. A raw server can still take one that TCP glues to data for data:
where that matters, give serve and connect --match anywhere.
Exit code: 0 if the server closed in good order, 1 if there was no connection or it was lost.`,

  async run(args, host) {
    const { values, given, positionals: [address, extra] } = args;
    if (address === undefined) throw new UsageError(`${NAME}: an address is missing (see ${NAME} --help)`);
    if (extra !== undefined) throw new UsageError(`${NAME}: unexpected argument ${JSON.stringify(extra)}`);
    const target = readValue(`${NAME}: the address`, { read: readTarget }, address);
    if (values.protocol === "raw") {
      forbidFrames(NAME, given);
      return await converse(target, rawDialect(values.match), args, host);
    }
    if (given.has("match")) throw new UsageError(`${NAME}: --match is for the raw protocol`);
    if (values.protocol === "frames") {
      const protocol = await framesWith(NAME, values.key);
      return await converse(target, framesDialect(protocol), args, host);
    }
    forbidFrames(NAME, given);
    return await converse(target, linesDialect(), args, host);
  },
});

/** Dials `target` and pipes until the end of it. Returns the exit code. */
async function converse<In, Out>(
  target: Address,
  dialect: Dialect<In, Out>,
  args: Arguments<typeof OPTIONS>,
  host: Host,
): Promise<number> {
  const { values } = args;
  const tls = await clientTls(NAME, values);
  const dialling = new AbortController();
  let connection: Connection<In, Out> | undefined;
  let input: Input | undefined;

  return await untilCut(
    host,
    {
      begin(signal) {
        if (connection === undefined) {
          return dialling.abort(new Failure(`${signal}: gave up dialling ${writeAddress(target)}`));
        }
        input?.cancel();
        void connection.close();
      },
      cut: (signal) => connection?.abort(new Error(signal)),
    },
    async () => {
      const open = connection = await connect(target, {
        protocol: dialect.protocol,
        heartbeat: heartbeatOf(args),
        timeout: values["connect-timeout"],
        signal: dialling.signal,
        resume: values.resume,
        tls,
        ...(values.reconnect && { reconnect: true }),
      }).catch((error) => {
        throw inPlainWords(tlsFailure(error), "path" in target);
      });
      const openedAt = performance.now();
      tellOf(open, args, host);

      input = host.input();
      void sendAll(input, dialect, open).then(() => open.finish()).catch((error) => open.abort(error));
      await printAll(open, dialect, host);
      input.cancel();
      await open.close();

      const reason = await open.closed;
      if (values.verbose) host.tell(`holdfast: ${account(open, performance.now() - openedAt)}`);
      if (reason.code === "closed") return 0;
      // Aborted by ourselves, for a failure at one of the standard streams.
      if (reason.code === "aborted") throw reason.cause;
      throw new Failure(`${writeAddress(target)}: ${whyEnded(reason)}`, { cause: reason });
    },
  );
}

/** Says what there is a connection to, what was agreed on, and when it is lost and found. */
function tellOf<In, Out>(
  connection: Connection<In, Out>,
  { values }: Arguments<typeof OPTIONS>,
  host: Host,
): void {
  const where = `connected to ${writeAddress(connection.remoteAddress)}`;
  if (values.protocol === "frames") {
    host.tell(`holdfast: ${where}, ${agreementOf(connection, values.key !== undefined)}`);
  } else if (values.verbose) host.tell(`holdfast: ${where}`);
  connection.onState = (state) => {
    if (state === "away") host.tell("holdfast: connection lost, coming back");
    if (state === "open") host.tell(`holdfast: connected to ${writeAddress(connection.remoteAddress)} again`);
  };
}

/** Sends all of `input`, no faster than the server takes it. */
async function sendAll<In, Out>(
  input: Input,
  { split, rest }: Dialect<In, Out>,
  connection: Connection<In, Out>,
): Promise<void> {
  for (;;) {
    const bytes = await input.read().catch((cause) => {
      throw new Failure(`cannot read standard input: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    });
    for (const message of bytes === undefined ? rest() : split(bytes)) {
      if (isOver(connection)) return;
      try {
        await connection.send(message);
      } catch (error) {
        // How the connection ended is told by the connection; what cannot be sent is the input's fault.
        if (isOver(connection)) return;
        throw new Failure(error instanceof Error ? error.message : String(error), { cause: error });
      }
    }
    if (bytes === undefined) return;
  }
}

function isOver<In, Out>({ state }: Connection<In, Out>): boolean {
  return state !== "open" && state !== "away";
}

/** Prints all that comes, no faster than somebody reads it. */
async function printAll<In, Out>(
  connection: Connection<In, Out>,
  { show }: Dialect<In, Out>,
  host: Host,
): Promise<void> {
  try {
    for await (const message of connection) await host.output(show(message));
  } catch (error) {
    // Nobody reads any more; or the connection has ended, and says why itself: then this does nothing.
    connection.abort(error);
  }
}

/** Asked for by either option; a server that was not made for heartbeats is left alone otherwise. */
function heartbeatOf({ values, given }: Arguments<typeof OPTIONS>): HeartbeatOptions | false {
  // One that speaks frames was.
  if (values.protocol === "frames") {
    return { interval: values.interval, ...(values.timeout !== undefined && { timeout: values.timeout }) };
  }
  if (!given.has("interval") && !given.has("timeout")) return false;
  return { interval: values.interval, timeout: values.timeout ?? Infinity };
}

function account<In, Out>(connection: Connection<In, Out>, lived: number): string {
  const { bytesSent, bytesReceived, beatsReceived } = connection.stats();
  const beats = beatsReceived === 1 ? "1 heartbeat" : `${beatsReceived} heartbeats`;
  return `${writeSize(bytesSent)} sent, ${writeSize(bytesReceived)} received, ${beats}, in ${
    writeDuration(lived)
  }`;
}
