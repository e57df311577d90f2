import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { testHttpFrontContract, type SeamUnderTest } from "../ports/http-front-contract.ts";
import { testUpstreamContract } from "../ports/upstream-contract.ts";
import { createSimulatedNetwork } from "./network.ts";

function makeSeam(): SeamUnderTest {
  const clock = createSimulatedClock();
  const network = createSimulatedNetwork(clock, createSeededRandom(1));
  return {
    front: network.frontOf("server"),
    upstream: network.upstreamOf("client"),
    address: { host: "server", port: 0 },
    until: async (fact) => {
      let isKnown = false;
      const done = fact.finally(() => (isKnown = true));
      for (let waitedMs = 0; !isKnown && waitedMs < 60_000; waitedMs += 1) await clock.advance(1);
      if (!isKnown) throw new Error("Nothing happened for a minute.");
      return done;
    },
    settle: () => clock.advance(20),
  };
}

testHttpFrontContract("simulated", makeSeam);
testUpstreamContract("simulated", makeSeam);
