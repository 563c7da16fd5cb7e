/**
 * Sockets that can be told to take nothing any more, whatever stands above them.
 *
 * @module
 */

import type {
  Address,
  Listener,
  Socket,
  SocketHandler,
  Target,
  TcpKeepAlive,
  Transport,
} from "../transport/transport.ts";

/** An end of a connection: the one that dialled, or the one that accepted. */
export type End = "client" | "server";

/** Which ends of a transport's connections are stalled. */
export class Stalls {
  /** The transport, with sockets that can be stalled. */
  readonly transport: Transport;
  readonly #sockets = new Set<StallingSocket>();
  /** Those without a key are for all connections. */
  #rules: { readonly end: End; readonly key: string | undefined }[] = [];

  constructor(inner: Transport) {
    this.transport = {
      name: inner.name,
      capabilities: inner.capabilities,
      connect: async (target, options) => {
        const socket = await inner.connect(target, options);
        return this.#wrap(socket, "client", socket.remoteAddress);
      },
      listen: (target, options): Promise<Listener> =>
        inner.listen!(target, {
          ...options,
          accept: (socket) => options.accept(this.#wrap(socket, "server", socket.localAddress)),
        }),
    };
  }

  /** Stalls that end of the connections to `target`, or of all. */
  begin(end: End, target: Target | undefined): void {
    this.#rules.push({ end, key: target && keyOf(target) });
    this.#apply();
  }

  /** Takes back what was done to connections to `target`; without one, all that was done. */
  end(target: Target | undefined): void {
    const key = target && keyOf(target);
    this.#rules = key === undefined ? [] : this.#rules.filter((rule) => rule.key !== key);
    this.#apply();
  }

  #wrap(socket: Socket, end: End, target: Address): Socket {
    const wrapped = new StallingSocket(socket, end, keyOf(target), () => this.#sockets.delete(wrapped));
    this.#sockets.add(wrapped);
    this.#apply();
    return wrapped;
  }

  #apply(): void {
    for (const socket of this.#sockets) {
      socket.stall(
        this.#rules.some(({ end, key }) => end === socket.end && (key === undefined || key === socket.key)),
      );
    }
  }
}

/** A socket whose reading stops if its user or the stall wants it to. */
class StallingSocket implements Socket {
  readonly end: End;
  readonly key: string;
  readonly #inner: Socket;
  readonly #gone: () => void;
  #paused = false;
  #stalled = false;

  constructor(inner: Socket, end: End, key: string, gone: () => void) {
    this.#inner = inner;
    this.end = end;
    this.key = key;
    this.#gone = gone;
  }

  stall(on: boolean): void {
    if (on === this.#stalled) return;
    this.#stalled = on;
    if (on) this.#inner.pause();
    else if (!this.#paused) this.#inner.resume();
  }

  get localAddress(): Address {
    return this.#inner.localAddress;
  }

  get remoteAddress(): Address {
    return this.#inner.remoteAddress;
  }

  get bufferedAmount(): number {
    return this.#inner.bufferedAmount;
  }

  start(handler: SocketHandler): void {
    this.#inner.start({
      data: (chunk) => handler.data(chunk),
      written: () => handler.written(),
      end: () => handler.end(),
      close: (error) => {
        this.#gone();
        handler.close(error);
      },
    });
  }

  write(bytes: Uint8Array): boolean {
    return this.#inner.write(bytes);
  }

  pause(): void {
    this.#paused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#stalled) this.#inner.resume();
  }

  shutdown(): void {
    this.#inner.shutdown();
  }

  abort(): void {
    this.#inner.abort();
  }

  setNoDelay(on: boolean): void {
    this.#inner.setNoDelay(on);
  }

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    this.#inner.setTcpKeepAlive(setting);
  }

  ref(): void {
    this.#inner.ref();
  }

  unref(): void {
    this.#inner.unref();
  }
}

/** What an address is found by. */
function keyOf(address: Address): string {
  if ("path" in address) return address.path;
  // As the memory network has it.
  return `${address.hostname === "localhost" ? "127.0.0.1" : address.hostname}:${address.port}`;
}
