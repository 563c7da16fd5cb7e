/**
 * The listener of a server, opened again if it dies.
 *
 * An administrator, a container's end or a fault in the kernel can take a listening socket away. The connections that it
 * accepted do not depend on it, so they live on while it is opened again.
 *
 * @module
 */

import { ConnectionError } from "../errors.ts";
import { stayAwake, stopStayingAwake } from "../transport/stay_awake.ts";
import type { Clock } from "../time/clock.ts";
import type { Due, Wheel } from "../time/wheel.ts";
import type { Address, Listener, ListenOptions, Target, Transport } from "../transport/transport.ts";

/** Times that a dead listener is tried to be opened again: the first at once, and all within some 2.5 s. */
const TRIES = 6;
/** Time before the second try, in milliseconds; doubled for each further one. */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 1_000;
/** From this age on, in milliseconds, the tries of a listener that dies are counted from the start. */
const SETTLED = 10_000;

/** Want of descriptors passes: such a try does not count. */
const EXHAUSTED = new Set(["EMFILE", "ENFILE"]);

/** What an entrance tells. */
export interface EntranceOwner {
  /** The listener died, for `error`. It is being opened again. */
  died(error: unknown): void;
  /** It is open again. */
  reopened(): void;
  /** It could not be opened again, and nobody will be accepted any more. */
  lost(error: ConnectionError): void;
}

/** A listener that is kept open. */
export class Entrance implements Due {
  readonly #transport: Transport;
  readonly #options: ListenOptions;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #owner: EntranceOwner;
  /** The one that is open; `undefined` while there is none. */
  #listener: Listener | undefined;
  #address: Address | undefined;
  /** The certificate that was last put in the place of the first. */
  #identity: Parameters<NonNullable<Listener["replaceCertificate"]>>[0] | undefined;
  /** A try under way. */
  #opening: Promise<void> | undefined;
  #tries = 0;
  #openedAt = 0;
  /** Place on the wheel while a try is waited for. */
  #entry = -1;
  #closed = false;
  #wanted = true;
  /** Whether the process is kept alive for a try, since there is no listener that does. */
  #awake = false;

  constructor(
    transport: Transport,
    options: Omit<ListenOptions, "died">,
    { clock, wheel }: { readonly clock: Clock; readonly wheel: Wheel },
    owner: EntranceOwner,
  ) {
    this.#transport = transport;
    this.#options = { ...options, died: (error) => this.#died(error) };
    this.#clock = clock;
    this.#wheel = wheel;
    this.#owner = owner;
  }

  /** Where it listens, or did at first. */
  get address(): Address {
    return this.#address!;
  }

  /** Opens it. @throws What the transport does. */
  async open(target: Target): Promise<void> {
    const listener = await this.#transport.listen!(target, this.#options);
    // A port that was chosen by the system is kept from now on.
    this.#address = listener.address;
    this.#opened(listener);
  }

  /** Accepts no more. Fulfilled when the address is free. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#entry >= 0) this.#wheel.remove(this.#entry);
    this.#entry = -1;
    this.#hold();
    await this.#listener?.close();
    await this.#opening;
  }

  /** Has all handshakes from now on made with `identity`, also by a listener that is opened again. */
  replaceCertificate(identity: Parameters<NonNullable<Listener["replaceCertificate"]>>[0]): void {
    if (this.#listener?.replaceCertificate === undefined) {
      throw new TypeError(
        "Cannot replace the certificate as the server must have a listener that speaks TLS",
      );
    }
    this.#listener.replaceCertificate(identity);
    this.#identity = identity;
  }

  ref(): void {
    this.#wanted = true;
    this.#hold();
    this.#listener?.ref();
  }

  unref(): void {
    this.#wanted = false;
    this.#hold();
    this.#listener?.unref();
  }

  due(): number {
    this.#wheel.remove(this.#entry);
    this.#entry = -1;
    this.#hold();
    this.#reopen();
    return Infinity;
  }

  #died(error: unknown): void {
    if (this.#closed) return;
    this.#listener = undefined;
    if (this.#clock.now() - this.#openedAt >= SETTLED) this.#tries = 0;
    this.#owner.died(error);
    // One that dies as soon as it is open must not keep us busy.
    if (!this.#closed) this.#retry(error);
  }

  #retry(error: unknown): void {
    if (this.#tries === TRIES) {
      const { message, systemCode } = error as Partial<ConnectionError>;
      this.#closed = true;
      return this.#owner.lost(
        new ConnectionError(
          "listen-failed",
          `Server lost its listener for good, in ${TRIES} tries: ${message}`,
          {
            origin: "local",
            cause: error,
            systemCode,
          },
        ),
      );
    }
    if (this.#tries === 0) return this.#reopen();
    const delay = Math.min(FIRST_DELAY * 2 ** (this.#tries - 1), LONGEST_DELAY);
    this.#entry = this.#wheel.add(this, this.#clock.now() + delay);
    this.#hold();
  }

  /** Keeps the process alive while a try is waited for: the wheel's timer does not. */
  #hold(): void {
    const awake = this.#wanted && this.#entry >= 0;
    if (awake === this.#awake) return;
    this.#awake = awake;
    if (awake) stayAwake();
    else stopStayingAwake();
  }

  #reopen(): void {
    this.#tries++;
    this.#opening = this.#transport.listen!(this.address, this.#options).then(
      (listener) => {
        this.#opening = undefined;
        if (this.#closed) return listener.close();
        this.#opened(listener);
        this.#owner.reopened();
      },
      (error) => {
        this.#opening = undefined;
        if (this.#closed) return;
        if (EXHAUSTED.has((error as ConnectionError).systemCode ?? "") && this.#tries > 1) this.#tries--;
        this.#retry(error);
      },
    );
  }

  #opened(listener: Listener): void {
    this.#listener = listener;
    if (this.#identity !== undefined) listener.replaceCertificate?.(this.#identity);
    this.#openedAt = this.#clock.now();
    if (!this.#wanted) listener.unref();
  }
}
