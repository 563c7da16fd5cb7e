/**
 * A transport whose sockets are {@linkcode FakeSocket}s.
 *
 * @module
 */

import type { Address, ListenOptions, Transport } from "../../lib/transport/transport.ts";
import { FakeSocket } from "./fake_socket.ts";

/** Lets a test call in, and see what was asked for. */
export class FakeTransport implements Transport {
  readonly name = "fake";
  readonly capabilities = {
    tcpKeepAlive: true,
    tcpKeepAliveDelay: true,
    reusePort: true,
    backlog: true,
    reset: true,
    unix: true,
  };
  listening: ListenOptions | undefined;
  listenedOn: Address | undefined;
  held = true;
  /** What `connect` does instead of giving a socket. */
  refusal: Error | undefined;
  readonly dialled: FakeSocket[] = [];

  connect(): Promise<FakeSocket> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    const socket = new FakeSocket();
    this.dialled.push(socket);
    return Promise.resolve(socket);
  }

  listen(target: Address, options: ListenOptions) {
    this.listening = options;
    this.listenedOn = target;
    return Promise.resolve({
      address: "port" in target ? { ...target, port: target.port || 4242 } : target,
      close: () => {
        this.listening = undefined;
        return Promise.resolve();
      },
      ref: () => void (this.held = true),
      unref: () => void (this.held = false),
    });
  }

  /** Somebody connects. */
  call(): FakeSocket {
    const socket = new FakeSocket();
    this.listening!.accept(socket);
    return socket;
  }
}
