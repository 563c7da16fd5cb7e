/**
 * What Linux itself says of a process and its connections, whatever the process says.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Why nothing here works; `false` if it does. */
export const noProc: string | false = existsSync("/proc/self/net/tcp") ? false : "there is no /proc/net/tcp";

/** One line of `/proc/net/tcp`. */
export interface TcpRow {
  /** `address:port` of this end. */
  readonly local: string;
  /** `address:port` of the other end. */
  readonly remote: string;
  /** `ESTABLISHED`, `FIN_WAIT1` and so on. */
  readonly state: string;
  /** Bytes sent and not acknowledged, or not sent yet. */
  readonly unsent: number;
  /** Number of the socket's inode; `0` if no process holds it any more. */
  readonly inode: string;
}

const STATES = [
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
];

/**
 * The IPv4 connections of the network namespace that `pid` is in, of all its processes. Without those in
 * TIME_WAIT, which no process holds and of which a machine at work may have tens of thousands.
 */
export function tcpRows(pid: number): TcpRow[] {
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n").slice(1, -1);
  return lines.filter((line) => !line.includes(" 06 ")).map((line) => {
    const [, local, remote, state, queues, , , , , inode] = line.trim().split(/\s+/) as string[];
    return {
      local: address(local!),
      remote: address(remote!),
      state: STATES[parseInt(state!, 16) - 1] ?? state!,
      unsent: parseInt(queues!.split(":")[0]!, 16),
      inode: inode!,
    };
  });
}

/** `0100007F:1F90` as `127.0.0.1:8080`. */
function address(hex: string): string {
  const [host, port] = hex.split(":") as [string, string];
  return `${host.match(/../g)!.reverse().map((byte) => parseInt(byte, 16)).join(".")}:${parseInt(port, 16)}`;
}

/** The sockets that `pid` holds: number of the descriptor by number of the inode. */
function descriptorsOf(pid: number): Map<string, string> {
  const found = new Map<string, string>();
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    const inode = inodeAt(pid, descriptor);
    if (inode !== undefined) found.set(inode, descriptor);
  }
  return found;
}

function inodeAt(pid: number, descriptor: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
  } catch {
    return undefined; // Closed meanwhile.
  }
}

/** How many sockets `pid` holds. */
export function socketsOf(pid: number): number {
  return descriptorsOf(pid).size;
}

/** Resident memory of `pid` in bytes. */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** What an {@linkcode Observer} saw of one connection. Instants are those of `performance.now()`. */
export interface Sighting {
  /** When the process had let go of it; `undefined` while it holds it. */
  goneAt: number | undefined;
  /** When its kernel last took bytes or had some acknowledged, if the observer looks at queues. */
  movedAt: number;
}

interface Watched extends Sighting {
  readonly inode: string;
  readonly descriptor: string;
  unsent: number;
}

/** How often an {@linkcode Observer} looks, in milliseconds. */
const LOOK_EVERY = 15;

/** How long a process may take to accept a connection that is to be looked at, in milliseconds. */
const PATIENCE = 10_000;

/** Looks at connections of a process again and again, from outside. */
export class Observer {
  static readonly #looking = new Set<Observer>();
  readonly #pid: number;
  readonly #queues: boolean;
  readonly #watched: ReadonlyMap<string, Watched>;
  readonly #timer: ReturnType<typeof setInterval>;

  private constructor(pid: number, watched: ReadonlyMap<string, Watched>, queues: boolean) {
    this.#pid = pid;
    this.#queues = queues;
    this.#watched = watched;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    Observer.#looking.add(this);
  }

  /**
   * Starts to watch the connections of `pid` to `remotes` (`address:port`), once it has them all.
   *
   * @param queues Whether to look at their queues too. That reads the table of the whole network namespace.
   */
  static async watch(pid: number, remotes: readonly string[], queues = false): Promise<Observer> {
    for (const until = performance.now() + PATIENCE;;) {
      const found = find(pid, remotes);
      const missing = remotes.find((remote) => !found.has(remote));
      if (missing === undefined) return new Observer(pid, found, queues);
      if (performance.now() > until) throw new Error(`Process ${pid} has no connection to ${missing}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }

  /** Ends all that still look: the processes they look at are to end. */
  static stopAll(): void {
    for (const observer of [...this.#looking]) observer.#stop();
  }

  /** What was seen of the connection to `remote`. */
  of(remote: string): Sighting {
    return this.#watched.get(remote)!;
  }

  /** Resolves, and stops looking, once all are gone or `within` milliseconds are over. */
  async gone(within: number): Promise<void> {
    const until = performance.now() + within;
    while (
      performance.now() < until && [...this.#watched.values()].some(({ goneAt }) => goneAt === undefined)
    ) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
    this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    Observer.#looking.delete(this);
  }

  #look(): void {
    const now = performance.now();
    const rows = this.#queues ? new Map(tcpRows(this.#pid).map((row) => [row.inode, row])) : undefined;
    for (const watched of this.#watched.values()) {
      if (watched.goneAt !== undefined) continue;
      if (inodeAt(this.#pid, watched.descriptor) !== watched.inode) {
        watched.goneAt = now;
        continue;
      }
      const unsent = rows?.get(watched.inode)?.unsent;
      if (unsent === undefined || unsent === watched.unsent) continue;
      watched.unsent = unsent;
      watched.movedAt = now;
    }
  }
}

/** Those connections of `pid` to `remotes` that are there. */
function find(pid: number, remotes: readonly string[]): Map<string, Watched> {
  const descriptors = descriptorsOf(pid), movedAt = performance.now();
  const found = new Map<string, Watched>();
  for (const { remote, inode, unsent } of tcpRows(pid)) {
    const descriptor = descriptors.get(inode);
    if (descriptor === undefined || !remotes.includes(remote)) continue;
    found.set(remote, { inode, descriptor, unsent, goneAt: undefined, movedAt });
  }
  return found;
}
