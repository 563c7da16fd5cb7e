/**
 * Mutations of what puts the rules to work: the wheel, the pulse, the lifeline.
 *
 * @module
 */

import { type Mutation, of } from "./mutation.ts";

/** See {@linkcode Mutation}. */
export const DRIVERS: readonly Mutation[] = [
  ...of("lib/time/wheel.ts", [
    [
      "deadlines fall due a tick early",
      "Math.ceil((deadline - this.#start) / this.#tick)",
      "Math.floor((deadline - this.#start) / this.#tick)",
    ],
    [
      "after a pause nothing is read before anybody is judged",
      "this.#clock.afterTurn(() => this.#turn());",
      "this.#turn();",
    ],
    [
      "there is no second look",
      "if (Number.isNaN(next)) return this.#doubt(id, owner);",
      "if (Number.isNaN(next)) return this.#call(id, now, true);",
    ],
    [
      "the second look is for whoever has the number now",
      "if (this.#owners[id] === owner) this.#call(id, now, true);",
      "if (this.#owners[id] !== undefined) this.#call(id, now, true);",
    ],
    ["one that throws ends the sweep", "this.#onError(error);", "throw error;"],
    ["an empty wheel keeps its timer", "if (this.#size === 0) this.#sleep();", ""],
    [
      "hasten() puts off",
      "if (deadline < this.deadline(id)) this.#move(id, deadline);",
      "this.#move(id, deadline);",
    ],
    ["an owner that was removed in its call is put back", "if (this.#owners[id] !== owner) return;", ""],
    [
      "a pause is noticed only by the timer",
      "if (pauseBetween(this.#instant(this.#wakeTick), now, this.#tick) !== undefined) return now;",
      "",
    ],
    [
      "what the owner set itself is lost",
      "if (next < this.deadline(id)) this.#move(id, next);",
      "this.#move(id, next);",
    ],
    [
      "coarse slots are never visited",
      "if (coarse !== NONE) this.#collect(",
      "if (tick < 0) this.#collect(",
    ],
    [
      "what lies beyond the rings is due when its slot is",
      "if (table.deadline(id) > now || ",
      "if (",
    ],
    [
      "what is set after a pause is measured from when it was due",
      `    if (last > this.#at) this.#at = last;
`,
      "",
    ],
    [
      "pauses are not counted",
      `    this.#pauses++;
`,
      "",
    ],
    [
      "set() leaves what was spared",
      `    this.#table.unspare(id);
    this.#move(id, deadline);`,
      "    this.#move(id, deadline);",
    ],
    [
      "hasten() leaves what was spared",
      `    this.#table.unspare(id);
    if (deadline`,
      "    if (deadline",
    ],
    [
      "a call leaves what was spared",
      `    this.#table.setDeadline(id, Infinity);
    this.#table.unspare(id);`,
      "    this.#table.setDeadline(id, Infinity);",
    ],
    ["what is set in the past is never looked at the clock for", "if (tick < this.#wakeTick || ", "if ("],
    ["what is near is late, as nobody looks at the clock", " && tick - this.#wakeTick < FINE", " && false"],
  ]),
  ...of("lib/time/rings.ts", [
    [
      "far deadlines are early",
      "Math.min(Math.ceil(tick / WIDTH), last)",
      "Math.min(Math.floor(tick / WIDTH), last)",
    ],
  ]),
  ...of("lib/time/entry_table.ts", [
    ["a touch that is too old puts off", "return deadline > now && ", "return deadline > -Infinity && "],
    ["what was spared outlasts a pause", " && this.#wholes[WHOLES * id + PAUSES] === pauses", ""],
    [
      "what was put off is not counted",
      `    this.#wholes[WHOLES * id + PUT_OFFS]!++;
`,
      "",
    ],
    [
      "a new entry has the count of the one before",
      `    this.#wholes[WHOLES * id + PUT_OFFS] = 0;
`,
      "",
    ],
    [
      "a new entry was touched when the one before was",
      `    this.#fractions[FRACTIONS * id + TOUCHED] = -Infinity;
    this.#fractions[FRACTIONS * id + SPAN] = 0;
`,
      "",
    ],
  ]),
  ...of("lib/connection/pulse.ts", [
    [
      "a probe is written although bytes wait",
      `if (this.#owner.unsent > 0) {
      this.#owed = true;
      return;
    }`,
      "",
    ],
    [
      "what is owed is never sent",
      `      this.#owed = false;
      this.#ping(now);
`,
      `      this.#owed = false;
`,
    ],
    [
      "a probe counts as flushed before it is",
      `if (verdict !== "suspect") this.#ping(now);
    if (this.#owner.unsent === 0) this.#heartbeat.flushed(now);`,
      `if (verdict !== "suspect") this.#ping(now);
    this.#heartbeat.flushed(now);`,
    ],
    [
      "answers pile up without bound",
      "if (this.#answers < MAX_ANSWERS) {",
      "if (this.#answers < Infinity) {",
    ],
    [
      "each probe() sends a ping",
      "if (this.#question === undefined) {",
      "if (this.#wire.ping !== undefined) {",
    ],
    [
      "an unasked pong is life",
      `      this.#counts.pongsUnasked++;
      return false;`,
      "      return true;",
    ],
    [
      "any byte answers a probe()",
      "if (this.#question !== undefined && !this.#answersPings && !this.#heartbeat.suspect) this.#answered(now);",
      "if (this.#question !== undefined) this.#answered(now);",
    ],
    [
      "a probe() outlives its connection",
      `    this.#question?.reject(reason);
`,
      "",
    ],
    [
      "the guard never hears of data that was sent",
      `    this.#guard?.served();
`,
      "",
    ],
    ["floods are noticed and suffered", `if (verdict === "too-many") return false;`, ""],
  ]),
  ...of("lib/connection/vigil.ts", [
    [
      "there is no second look before a verdict",
      "if (!sure || this.#owner.doubtful) return ASK_AGAIN;",
      "if (this.#owner.doubtful) return ASK_AGAIN;",
    ],
    [
      "a proof that is being checked does not count",
      "if (!sure || this.#owner.doubtful) return ASK_AGAIN;",
      "if (!sure) return ASK_AGAIN;",
    ],
    [
      "the end leaves the deadline on the wheel",
      `    if (this.#entry >= 0) this.#wheel.remove(this.#entry);
`,
      "",
    ],
    ["what was heard is not told to the wheel", "this.#wheel.touch(this.#entry, now);", "void 0;"],
  ]),
  ...of("lib/connection/lifeline.ts", [
    [
      "bytes are no life",
      `    if (!this.#keyed) watch.heartbeat.heardAt = now;
`,
      "",
    ],
    [
      "pongs that nobody asked for are life",
      "this.lastHeardAt = watch.heartbeat.heardAt = heardAt;",
      "this.lastHeardAt = heardAt;",
    ],
    [
      "a verdict leaves the socket open",
      `    this.#leave(code, cause instanceof ProtocolError ? cause.message : "");
    this.#owner.broke(code, cause);`,
      "    this.#owner.broke(code, cause);",
    ],
    [
      "messages received do not count for the idle time",
      `    this.watch.messageAt = this.lastHeardAt;
`,
      "",
    ],
    [
      "messages sent do not count for the idle time",
      `    this.watch.messageAt = now;
`,
      "",
    ],
    [
      "bytes that wait start no clock",
      "if (stall.waiting(sentAt)) this.#vigil.rearmBy(sentAt + stall.limit);",
      "",
    ],
    [
      "progress of the socket is not noted",
      `    watch.stall.progress(now, this.socket.bufferedAmount);
`,
      "",
    ],
    [
      "a probe behind bytes that leave at once is forgotten",
      "this.pulse.emptied(this.#clock.now());",
      "void 0;",
    ],
    [
      "a probe behind bytes that the socket kept is forgotten",
      `      this.pulse.emptied(now);
`,
      "",
    ],
    [
      "a peer that we do not read is judged",
      "const mute = this.#full || this.#ended ||",
      "const mute = this.#ended ||",
    ],
    [
      "a peer that has finished is judged",
      "const mute = this.#full || this.#ended ||",
      "const mute = this.#full ||",
    ],
    [
      "reading moves the deadline",
      `        this.#vigil.heard(now);
`,
      `        this.#vigil.heard(now);
        this.#vigil.rearm();
`,
    ],
    [
      "there is no time to leave",
      `    this.watch.close();
`,
      "",
    ],
    ["a pause that was not noticed yet is a round trip", "this.#wheel.awayAt(now)", "this.#wheel.pause?.end"],
    [
      "heartbeats keep a drain from its quiet moment",
      "if (news || unfinished > 0) watch.moved(now);",
      "watch.moved(now);",
    ],
    [
      "what the pulse and the outlet say is written after the end",
      `    if (this.#over || this.#finished) return;
    this.watch.heartbeat.sentAt = now;
    this.counts.bytesSent += bytes.length;
    this.#outlet.writeOut(bytes);`,
      `    this.watch.heartbeat.sentAt = now;
    this.counts.bytesSent += bytes.length;
    this.#outlet.writeOut(bytes);`,
    ],
    [
      "other rules wait for the next wake-up",
      `    this.watch.heartbeat.update(this.#clock.now(), rules);
    this.#rearm();`,
      "    this.watch.heartbeat.update(this.#clock.now(), rules);",
    ],
  ]),
];
