/**
 * Asks to be woken in ten minutes, and has nothing else to do: it should end at once.
 *
 * @module
 */

import { systemClock } from "../../../lib/time/clock.ts";

systemClock.wakeAfter(600_000, () => console.log("woken"));
console.log("asleep");
