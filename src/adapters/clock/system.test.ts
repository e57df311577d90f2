import { testClockContract } from "../../ports/clock-contract.ts";
import { createSystemClock } from "./system.ts";

testClockContract("system", () => {
  const clock = createSystemClock();
  return { clock, pass: (durationMs) => clock.sleep(durationMs, new AbortController().signal) };
});
