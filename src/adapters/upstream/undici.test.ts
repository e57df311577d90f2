import { checkedFront, checkedUpstream } from "../checked-exchange.ts";
import { createNodeHttpFront } from "../http-front/node-http.ts";
import { createSystemClock } from "../clock/system.ts";
import { testHttpFrontContract, type SeamUnderTest } from "../../ports/http-front-contract.ts";
import { testUpstreamContract } from "../../ports/upstream-contract.ts";
import { createUndiciUpstream } from "./undici.ts";

function makeSeam(): SeamUnderTest {
  const clock = createSystemClock();
  return {
    front: checkedFront(createNodeHttpFront()),
    upstream: checkedUpstream(createUndiciUpstream()),
    address: { host: "127.0.0.1", port: 0 },
    until: (fact) => fact,
    settle: () => clock.sleep(15, new AbortController().signal),
  };
}

testHttpFrontContract("node:http", makeSeam);
testUpstreamContract("undici", makeSeam);
