/**
 * Mutations of the pure rules, and of how pauses are noticed.
 *
 * @module
 */

import { type Mutation, of } from "./mutation.ts";

/** See {@linkcode Mutation}. */
export const CORE: readonly Mutation[] = [
  ...of("lib/liveness/heartbeat.ts", [
    [
      "own sends count as the peer's life",
      `#beat(now: number): HeartbeatVerdict {
    this.sentAt = now;`,
      `#beat(now: number): HeartbeatVerdict {
    this.heardAt = this.sentAt = now;`,
    ],
    [
      "the probe comes early",
      "return this.#spread(this.heardAt + interval - early, pause);",
      "return this.#spread(this.heardAt + interval - early - 1, pause);",
    ],
    [
      "the timeout runs from the question, not from its flush",
      "const due = this.#flushedAt + this.timeout",
      "const due = this.#askedAt + this.timeout",
    ],
    [
      "a byte of the instant in which somebody asks answers him",
      `    if (this.heardAt >= now) this.heardAt = now - 1e-6;
`,
      "",
    ],
    [
      "each flush starts the timeout anew",
      "if (this.#flushedAt === Infinity) this.#flushedAt = now;",
      "this.#flushedAt = now;",
    ],
    [
      "missed steady beats are caught up",
      "(Math.floor((now - this.#beatAt) / sendEvery) + 1) * sendEvery",
      "sendEvery",
    ],
    [
      "steady beats drift",
      "if (now >= this.#beatAt) this.#beatAt += (Math.floor((now - this.#beatAt) / sendEvery) + 1) * sendEvery;",
      "if (now >= this.#beatAt) this.#beatAt = now + sendEvery;",
    ],
    [
      "first probes are not spread",
      "const early = this.heardAt <= this.openedAt && !this.#beatsAsk ? interval * SPREAD * this.#phase : 0;",
      "const early = 0;",
    ],
    [
      "all probes are spread, not the first only",
      "const early = this.heardAt <= this.openedAt && !this.#beatsAsk ?",
      "const early = !this.#beatsAsk ?",
    ],
    ["our pauses count as the peer's silence", "lost = lostSince(this.#flushedAt, pause);", "lost = 0;"],
    ["short pauses do not shift the deadline", ": due + lost;", ": due;"],
    ["excuses never run out", " && this.#excuses < MAX_EXCUSES;", ";"],
    ["excuses are never restored", "if (!this.suspect) this.#excuses = 0;", "if (!this.suspect) void 0;"],
    [
      "what fell due in a pause is not spread",
      "const first = firstSince(due, pause);",
      "const first = undefined as Pause | undefined;",
    ],
    [
      "each pause puts off what the last one put off",
      "const first = firstSince(due, pause);",
      "const first = firstSince(due, pause) && pause;",
    ],
    [
      "a byte does not end the suspicion",
      "return this.#askedAt > this.heardAt;",
      "return this.#askedAt > -Infinity;",
    ],
    [
      "a byte in the instant of the question is no answer",
      "return this.#askedAt > this.heardAt;",
      "return this.#askedAt >= this.heardAt;",
    ],
    ["a peer that we do not read is judged", "if (!this.#listening) return Infinity;", ""],
    [
      "after we read again there is no whole interval",
      "if (listening && !this.#listening) this.heardAt = now;",
      "",
    ],
    [
      "what we receive relieves us of sending",
      "return this.#spread(this.sentAt + sendEvery - early, pause);",
      "return this.#spread(Math.max(this.sentAt, this.heardAt) + sendEvery - early, pause);",
    ],
    [
      "silence across a pause teaches an interval",
      "lostSince(since, pause) > 0 ? 0 : now - since",
      "now - since",
    ],
    [
      "the timeout does not adapt",
      "return this.#roundTrip.timeout(minTimeout, timeout);",
      "return timeout;",
    ],
    [
      "where nobody is asked by himself, a probe() is not judged",
      "if (!this.#listening) return Infinity;",
      "if (!this.#listening || interval === Infinity) return Infinity;",
    ],
  ]),
  ...of("lib/liveness/rtt.ts", [
    [
      "a pong after several pings measures (Karn)",
      "this.#askedAt = this.#unanswered++ === 0 ? now : NaN;",
      `this.#unanswered++;
    this.#askedAt = now;`,
    ],
    [
      "late pongs are taken for quick ones",
      "this.#askedAt = this.#unanswered++ === 0 ? now : NaN;",
      "this.#askedAt = this.#askedAt === Infinity ? now : NaN;",
    ],
    [
      "nothing is measured any more after a pong for several pings",
      "if (now - this.#lastAt > LATE) this.#unanswered = 0;",
      "",
    ],
    ["a round trip across a pause counts", " && pausedAt < askedAt", ""],
    [
      "the adaptive timeout has no floor",
      "Math.max(min, this.#smoothed + K * this.#deviation)",
      "this.#smoothed + K * this.#deviation",
    ],
    [
      "the adaptive timeout has no ceiling",
      "Math.min(max, Math.max(min, this.#smoothed + K * this.#deviation))",
      "Math.max(min, this.#smoothed + K * this.#deviation)",
    ],
    ["the deviation weighs too little", "const K = 4;", "const K = 2;"],
    [
      "an unasked pong is an answer",
      "if (askedAt === Infinity) return false;",
      "if (askedAt === Infinity) return true;",
    ],
    [
      "a pong answers again and again",
      `    this.#askedAt = Infinity;
`,
      "",
    ],
  ]),
  ...of("lib/liveness/flood.ts", [
    ["a ping that is a little early is a strike", "(this.#minGap * (1 - EARLY))", "this.#minGap"],
    [
      "data that we send takes no strikes back",
      `served(): void {
    this.#strikes = 0;`,
      "served(): void {",
    ],
    ["one strike too few is forgiven", "> FORGIVEN ?", ">= FORGIVEN ?"],
    [
      "pings are saved up without bound",
      "Math.min(MOST_SAVED, this.#saved + earned)",
      "this.#saved + earned",
    ],
    [
      "the time in which none came is not saved up",
      "Math.min(MOST_SAVED, this.#saved + earned)",
      "Math.min(1, this.#saved + earned)",
    ],
    [
      "what came too soon is saved up too",
      `    this.#saved = 0;
    return ++this.#strikes`,
      "    return ++this.#strikes",
    ],
  ]),
  ...of("lib/liveness/interval.ts", [
    [
      "what broke is tried again",
      `    this.#settled = true;
`,
      "",
    ],
    ["it takes four successes for a step", "++this.#successes < ENOUGH", "++this.#successes <= ENOUGH"],
    ["shorter silences count as successes", "if (interval < this.#current) return false;", ""],
    [
      "breaks at the shortest interval teach something",
      "if (interval < this.#current || this.#current === this.#range.min) return;",
      "if (interval < this.#current) return;",
    ],
  ]),
  ...of("lib/liveness/rate.ts", [
    [
      "tokens are saved up without bound",
      "Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs)",
      "this.#tokens + (now - this.#at) * this.#perMs",
    ],
  ]),
  ...of("lib/liveness/backoff.ts", [
    [
      "the jitter is lost at the cap",
      `  const ceiling = Math.min(max, initial * factor ** attempt);
  return ceiling * (1 - jitter * random());`,
      "  return Math.min(max, initial * factor ** attempt * (1 - jitter * random()));",
    ],
  ]),
  ...of("lib/liveness/watch.ts", [
    [
      "heartbeats count as messages for the idle time",
      "this.messageAt + this.#policy.idleTimeout;",
      "this.heartbeat.heardAt + this.#policy.idleTimeout;",
    ],
    ["each byte gives a message more time", "if (!ended && this.#frameAt !== Infinity) return false;", ""],
    [
      "a message that flows has no more time than another",
      "Math.max(this.#policy.frameTimeout, this.#unfinished / MIN_FLOW)",
      "this.#policy.frameTimeout",
    ],
    [
      "a message may take the longer the larger it says it is",
      "if (!ended && this.#frameAt !== Infinity) return false;",
      "if (this.#frameAt !== Infinity) return false;",
    ],
    ["our pauses count against the first byte", " + lostSince(openedAt, pause);", ";"],
    ["our pauses count against a message", " + lostSince(this.#frameAt, pause);", ";"],
    [
      "the grace of an old connection never ends",
      "return this.#aged ? this.#ageAt : Infinity;",
      "return Infinity;",
    ],
    ["ages have no jitter", "policy.maxAge * (1 - AGE_JITTER + 2 * AGE_JITTER * phase)", "policy.maxAge"],
    [
      "the heartbeat goes on while closing",
      `if (this.#closing) return now >= this.#partedAt + this.#policy.closeTimeout ? "close-timeout" : "wait";`,
      `if (this.#closing && now >= this.#partedAt + this.#policy.closeTimeout) return "close-timeout";`,
    ],
    [
      "the time to leave starts again and again",
      "if (this.#closing && this.#partedAt === Infinity) this.#partedAt = now;",
      "if (this.#closing) this.#partedAt = now;",
    ],
    [
      "the idle time runs while we do not read",
      "return this.#held ? Infinity : this.messageAt",
      "return this.messageAt",
    ],
    [
      "a message's time runs while we do not read",
      `    if (this.#held) return Infinity;
`,
      "",
    ],
    [
      "after we read again a message has no time of its own",
      `    if (this.#frameAt < Infinity) this.#frameAt = now;
`,
      "",
    ],
    [
      "after we read again the idle time does not begin anew",
      `    if (held) return;
    this.messageAt = now;`,
      "    if (held) return;",
    ],
    [
      "a learned interval is not put in force",
      `    this.heartbeat.update(now, { ...this.heartbeat.policy, interval: Math.max(search.current, this.floor) });
`,
      "",
    ],
    [
      "any break is blamed on the interval",
      "if (this.heartbeat.suspect) this.#policy.search?.failed",
      "this.#policy.search?.failed",
    ],
    [
      "a message that begins is not noticed while all is calm",
      `    this.#frameAt = now;
    this.#calm = false;`,
      "    this.#frameAt = now;",
    ],
    [
      "a drain is not noticed while all is calm",
      `    if (this.#quietSince === Infinity) this.#quietSince = since;
    this.#calm = false;`,
      "    if (this.#quietSince === Infinity) this.#quietSince = since;",
    ],
    [
      "an end is not noticed while all is calm",
      `    this.#closing = true;
    this.#calm = false;`,
      "    this.#closing = true;",
    ],
    [
      "reading again is not noticed while all is calm",
      `    this.#held = held;
    this.#calm = false;`,
      "    this.#held = held;",
    ],
    [
      "a first byte is not waited for once all was calm",
      "others === Infinity && this.#policy.firstByteTimeout === Infinity;",
      "others === Infinity;",
    ],
    ["a drain does not wait for what moves", "if (this.#quietSince < now) this.#quietSince = now;", ""],
    ["the write stall is not judged", `if (now >= this.stall.deadline(pause)) return "write-stalled";`, ""],
  ]),
  ...of("lib/liveness/write_stall.ts", [
    [
      "bytes that join others give new time",
      "if (this.#since !== Infinity) return false;",
      "",
    ],
    [
      "progress gives no new time",
      "this.#since = left > 0 ? now : Infinity;",
      "if (left === 0) this.#since = Infinity;",
    ],
    [
      "every pause gives the whole limit again",
      "if (p.length * 4 >= this.limit) since = p.end;",
      `{
        since = p.end;
        break;
      }`,
    ],
    ["our pauses count against the peer", "+ this.limit + lostSince(since, pause);", "+ this.limit;"],
  ]),
  ...of("lib/time/pause.ts", [
    ["long ticks are pauses", "Math.max(NOTICEABLE, 2 * tick)", "NOTICEABLE"],
    ["no lateness is noticed", "Math.max(NOTICEABLE, 2 * tick)", "1e9"],
    [
      "a pause hides those before it",
      "return following(before, { end: now, length }, REMEMBERED);",
      "return { end: now, length };",
    ],
    ["pauses are remembered for ever", "before === undefined || depth === 1", "before === undefined"],
    ["a pause that is over counts as well", "p !== undefined && p.end > instant;", "p !== undefined;"],
  ]),
];
