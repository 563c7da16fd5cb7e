/**
 * Messages on their way to the application: handed over at once, or kept in order until it takes them.
 *
 * There are two ways to take them, a callback and an async iterator. The iterator is written by hand: a generator
 * costs twice as much a message.
 *
 * @module
 */

/** What an {@linkcode Inbox} needs from the connection it belongs to. */
export interface InboxOwner<In> {
  /** Makes a borrowed message one that may be kept. */
  own(message: In): In;
  /** Lets the message that was just handed over, which may be borrowed, stay valid. */
  keep(): void;
  /** Says whether there is no room for more, so that reading stops, or room again. */
  full(full: boolean): void;
  /** Everything has been taken, and no more will come. */
  emptied(): void;
  /** The callback threw, or its promise was rejected. */
  failed(error: unknown): void;
  /** Calls `then` after a turn of the event loop. */
  afterTurn(then: () => void): void;
  /** Calls the application with a message. A promise holds further messages back until it settles. */
  deliver(message: In): unknown;
}

/** Messages that waited and are taken one after the other before other connections get a turn of the event loop. */
const RUN = 1_024;

/** So many messages may wait, however small they are, and one for each so many bytes of the bound: each takes room itself. */
const FEW = 1_024;
const SMALL = 64;

interface Waiter<In> {
  resolve(result: IteratorResult<In, undefined>): void;
  reject(reason: unknown): void;
}

/** Messages of one connection that the application has not taken yet. */
export class Inbox<In> implements AsyncIterator<In, undefined> {
  readonly #owner: InboxOwner<In>;
  readonly #maxBytes: number;
  readonly #maxMessages: number;
  /** The owner delivers the messages. */
  #delivers = false;
  /** What waits, from `#head` on, each with its size. */
  #messages: In[] = NONE;
  #sizes: number[] = NONE;
  #head = 0;
  #bytes = 0;
  /** Who waits for a message: one, if it is a loop, and others after it. */
  #waiter: Waiter<In> | undefined;
  #waiters: Waiter<In>[] = NONE;
  /** A callback has not settled yet. */
  #busy = false;
  #full = false;
  #ended = false;
  /** Messages that may still be taken before the others get a turn, and whether they have it now. */
  #run = RUN;
  #resting = false;
  /** What the iterator throws at the end, if it throws. */
  #reason: unknown;

  /** @param maxBytes Bytes that may wait before the owner is told that it is full. */
  constructor(owner: InboxOwner<In>, maxBytes: number) {
    this.#owner = owner;
    this.#maxBytes = maxBytes;
    this.#maxMessages = Math.max(FEW, maxBytes / SMALL);
  }

  /** Whether nothing waits, and the application is not at work on anything. */
  get idle(): boolean {
    return !this.#busy && this.#head === this.#messages.length;
  }

  /** Messages that wait. */
  get waiting(): number {
    return this.#messages.length - this.#head;
  }

  /** Whether no more is taken. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of all that wait but the newest message. */
  get bytesButLast(): number {
    return this.#bytes - (this.#sizes.at(-1) ?? 0);
  }

  /** Whether the owner is to deliver the messages, what waits first. If not, they are kept for the iterator. */
  set delivers(delivers: boolean) {
    this.#delivers = delivers;
    this.#pump();
  }

  /** Takes a message from the wire. It may be borrowed. */
  push(message: In, size: number): void {
    if (this.#ended) return;
    if (this.#delivers && this.idle) return this.#give(message);
    if (this.#waiter !== undefined && this.waiting === 0) {
      return this.#nextWaiter().resolve({ done: false, value: this.#owner.own(message) });
    }
    if (this.#messages === NONE) {
      this.#messages = [];
      this.#sizes = [];
    }
    this.#messages.push(this.#owner.own(message));
    this.#sizes.push(size);
    this.#bytes += size;
    if (this.#bytes >= this.#maxBytes || this.waiting >= this.#maxMessages) this.#setFull(true);
  }

  /** No more will come. What waits can still be taken; after it the iterator is done, or throws `reason`. */
  end(reason?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason = reason;
    if (this.waiting === 0) this.#dismiss();
    this.#checkEmptied();
  }

  /** Tells those who wait that nothing more will come. */
  #dismiss(): void {
    while (this.#waiter !== undefined) {
      const waiter = this.#nextWaiter();
      if (this.#reason === undefined) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(this.#reason);
    }
  }

  /** Who has waited longest, and does not any more. */
  #nextWaiter(): Waiter<In> {
    const waiter = this.#waiter!;
    this.#waiter = this.#waiters === NONE ? undefined : this.#waiters.shift();
    return waiter;
  }

  /** Throws away what waits. */
  clear(): void {
    this.#messages = this.#sizes = NONE;
    this.#head = this.#bytes = 0;
    this.#setFull(false);
  }

  /** The next message, for `for await`. */
  next(): Promise<IteratorResult<In, undefined>> {
    if (this.#head < this.#messages.length) {
      if (this.#mayTake()) {
        const value = this.#take();
        this.#checkEmptied();
        return Promise.resolve({ done: false, value });
      }
    } else if (this.#ended) {
      return this.#reason === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(this.#reason);
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#waiter === undefined) this.#waiter = waiter;
      else if (this.#waiters === NONE) this.#waiters = [waiter];
      else this.#waiters.push(waiter);
    });
  }

  /** Whether a message that waits may be taken now; if not, it is when the others have had their turn. */
  #mayTake(): boolean {
    if (this.#resting) return false;
    if (--this.#run >= 0) return true;
    this.#run = RUN;
    this.#resting = true;
    this.#owner.afterTurn(() => {
      this.#resting = false;
      while (this.#waiter !== undefined && this.waiting > 0) {
        this.#nextWaiter().resolve({ done: false, value: this.#take() });
      }
      if (this.#ended && this.waiting === 0) this.#dismiss();
      this.#pump();
    });
    return false;
  }

  #take(): In {
    const message = this.#messages[this.#head]!;
    this.#bytes -= this.#sizes[this.#head]!;
    this.#messages[this.#head++] = undefined as In;
    if (this.#head === this.#messages.length) {
      this.#messages = this.#sizes = NONE;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#messages.length) {
      this.#messages.splice(0, this.#head);
      this.#sizes.splice(0, this.#head);
      this.#head = 0;
    }
    // Half empty, not one below full: reading that stops and starts for each message costs more than it saves.
    if (this.#full && this.#bytes * 2 <= this.#maxBytes && this.waiting * 2 <= this.#maxMessages) {
      this.#setFull(false);
    }
    return message;
  }

  /** Gives what waits to the callback, for as long as it returns at once. */
  #pump(): void {
    while (this.#delivers && !this.#busy && this.#head < this.#messages.length) {
      if (!this.#mayTake()) return;
      this.#give(this.#take());
    }
    this.#checkEmptied();
  }

  #give(message: In): void {
    let result;
    try {
      result = this.#owner.deliver(message);
    } catch (error) {
      return this.#owner.failed(error);
    }
    if (result === undefined || result === ACCEPTED || !isThenable(result)) return;
    // A callback that is not done yet may still look at its bytes.
    this.#owner.keep();
    this.#busy = true;
    result.then(
      () => {
        this.#busy = false;
        this.#pump();
      },
      (error) => {
        this.#busy = false;
        this.#owner.failed(error);
      },
    );
  }

  #checkEmptied(): void {
    if (this.#ended && this.idle) this.#owner.emptied();
  }

  #setFull(full: boolean): void {
    if (full === this.#full) return;
    this.#full = full;
    this.#owner.full(full);
  }
}

/** What a list is that nobody has needed yet, as those of most connections: one for all. */
const NONE: never[] = [];

/** What `send()` returns when the message was accepted at once. One promise for all, known by identity. */
export const ACCEPTED: Promise<void> = /* @__PURE__ */ Promise.resolve();

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === "function";
}
