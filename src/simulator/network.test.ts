import { test } from "node:test";
import assert from "node:assert/strict";
import { checkedFront, checkedHandler, checkedUpstream } from "../adapters/checked-exchange.ts";
import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryEventLog, type MemoryEventLog } from "../adapters/event-log/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { get, startCall, testHttpFrontContract, type SeamUnderTest, type SeenCall } from "../ports/http-front-contract.ts";
import type { Handler } from "../ports/http-front.ts";
import { testUpstreamContract } from "../ports/upstream-contract.ts";
import { createSimulatedNetwork, type SimulatedNetwork } from "./network.ts";

function makeSeam(): SeamUnderTest {
  const clock = createSimulatedClock();
  const network = createSimulatedNetwork(clock, createSeededRandom(1));
  return {
    front: checkedFront(network.frontOf("server")),
    upstream: checkedUpstream(network.upstreamOf("client")),
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

const ENGINE = { host: "engine", port: 1 };
const GATEWAY = "gateway";
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Place {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly log: MemoryEventLog;
  readonly goneCount: () => number;
  readonly reachedCount: () => number;
  readonly call: () => SeenCall;
}

/** One engine that writes a token of 3 bytes every 10 ms, 20 in all, and a gateway that calls it. */
function place(seed: number): Place {
  const clock = createSimulatedClock();
  const log = createMemoryEventLog();
  const network = createSimulatedNetwork(clock, createSeededRandom(seed), log);
  let goneCount = 0;
  let reachedCount = 0;
  const handler: Handler = (exchange) => {
    reachedCount += 1;
    let leftCount = 20;
    const speak = (): void => {
      if (leftCount === 20) exchange.head(200, []);
      exchange.write(bytesOf("abc"));
      leftCount -= 1;
      if (leftCount === 0) exchange.end();
      else timer = clock.after(10, speak);
    };
    let timer = clock.after(10, speak);
    const silent = (): void => assert.equal(leftCount > 0, true);
    return {
      body: silent,
      bodyEnd: silent,
      drained: silent,
      gone: () => {
        goneCount += 1;
        timer.cancel();
      },
    };
  };
  network.attach(ENGINE, checkedHandler(handler), "engine");
  const upstream = checkedUpstream(network.upstreamOf(GATEWAY));
  return {
    clock,
    network,
    log,
    goneCount: () => goneCount,
    reachedCount: () => reachedCount,
    call: () => startCall(upstream, ENGINE, { method: "POST", target: "/", headers: [], body: bytesOf("{}") }),
  };
}

test("a simulated network without faults delivers everything and keeps nothing open", async () => {
  const { clock, network, call, goneCount } = place(1);
  const calls = Array.from({ length: 10 }, call);
  await clock.advance(1_000);
  for (const one of calls) assert.deepEqual([one.names(), one.text()], [["head", "data", "end"], "abc".repeat(20)]);
  assert.deepEqual([network.openCount(), goneCount()], [0, 0]);
});

test("a crash ends every call to the party by FIN or RST, silences it and refuses later calls", async () => {
  const { clock, network, call, goneCount } = place(1);
  const calls = Array.from({ length: 20 }, call);
  await clock.advance(100);
  network.crash("engine");
  await clock.advance(5);
  const codes = new Set(calls.map((one) => one.failure()?.code));
  assert.deepEqual(codes, new Set(["CUT", "RESET"]));
  const late = call();
  await clock.advance(200);
  assert.deepEqual(late.failure(), { code: "REFUSED", sent: "none" });
  assert.deepEqual([network.openCount(), goneCount()], [0, 0]);
});

test("no refusal of a dead party's host comes through a partition", async () => {
  const { clock, network, call } = place(1);
  network.partition(GATEWAY, "engine");
  network.crash("engine");
  const late = call();
  await clock.advance(2_000);
  assert.equal(late.failure()?.code, "CONNECT_TIMEOUT");
  network.heal(GATEWAY, "engine");
  const later = call();
  await clock.advance(200);
  assert.equal(later.failure()?.code, "REFUSED");
});

test("a crashed caller is gone for the party that it called", async () => {
  const { clock, network, call, goneCount } = place(1);
  const one = call();
  await clock.advance(100);
  const before = one.names();
  network.crash(GATEWAY);
  await clock.advance(200);
  assert.deepEqual(one.names(), before);
  assert.deepEqual([network.openCount(), goneCount()], [0, 1]);
});

test("a frozen party accepts calls, says nothing, and goes on when thawed", async () => {
  const { clock, network, call, reachedCount } = place(1);
  network.freeze("engine");
  const one = call();
  await clock.advance(5_000);
  assert.deepEqual([one.names(), reachedCount()], [[], 0]);
  network.thaw("engine");
  await clock.advance(500);
  assert.equal(one.text(), "abc".repeat(20));
});

test("a partition swallows bytes in both directions, times connects out, and heals without loss", async () => {
  const { clock, network, call, goneCount } = place(1);
  const open = call();
  await clock.advance(100);
  network.partition("engine", "*");
  const heard = open.text();
  const cutOff = call();
  const aborted = call();
  await clock.advance(0.5);
  aborted.call.abort();
  await clock.advance(1_100);
  assert.deepEqual(cutOff.failure(), { code: "CONNECT_TIMEOUT", sent: "none" });
  assert.equal(open.text(), heard);
  network.heal("engine", "*");
  await clock.advance(500);
  assert.equal(open.text(), "abc".repeat(20));
  assert.deepEqual([network.openCount(), goneCount()], [0, 0]);
});

test("a link that cuts fails some calls once, tells their handlers, and loses nobody", async () => {
  const { clock, network, call, goneCount } = place(3);
  network.setLink("engine", GATEWAY, { cutRatio: 0.03, lossRatio: 0.05 });
  const calls = Array.from({ length: 60 }, call);
  await clock.advance(30_000);
  const failedCount = calls.filter((one) => one.failure() !== null).length;
  assert.ok(failedCount > 10 && failedCount < 50, `${failedCount} failed`);
  for (const one of calls) assert.ok(one.isOver() && "abc".repeat(20).startsWith(one.text()));
  assert.equal(network.openCount(), 0);
  assert.ok(goneCount() > 0 && goneCount() <= failedCount);
});

test("the same seed gives the same network log to the byte, another seed another", async () => {
  const logOf = async (seed: number): Promise<string> => {
    const { clock, network, call, log } = place(seed);
    network.setLink("engine", GATEWAY, { cutRatio: 0.01, lossRatio: 0.1 });
    for (let count = 0; count < 20; count += 1) {
      call();
      await clock.advance(13);
    }
    network.crash("engine");
    await clock.advance(1_000);
    return log.text();
  };
  const [first, again, other] = [await logOf(5), await logOf(5), await logOf(6)];
  assert.ok(first.length > 10_000);
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test("lent bytes of a simulated call are overwritten after their callback", async () => {
  const { clock, network } = place(1);
  const kept: Uint8Array[] = [];
  network.upstreamOf("careless").call(ENGINE, get("/"), {
    head: (status) => assert.equal(status, 200),
    data: (lent) => kept.push(lent),
    end: () => assert.ok(kept.length >= 20),
    failed: () => assert.fail("it ends well"),
  });
  await clock.advance(1_000);
  assert.ok(kept.length >= 20);
  for (const piece of kept) assert.ok(piece.every((byte) => byte === 0xdb));
});

test("a partition of a group cuts each of its members from the other party, and nobody else", async () => {
  const { clock, network, call } = place(1);
  network.join("engine", "engines");
  const other = startCall(network.upstreamOf("gateway-1"), ENGINE, get("/"));
  network.partition(GATEWAY, "engines");
  const cutOff = call();
  await clock.advance(1_500);
  assert.deepEqual([cutOff.failure()?.code, other.text()], ["CONNECT_TIMEOUT", "abc".repeat(20)]);
  network.heal(GATEWAY, "engines");
  const healed = call();
  await clock.advance(1_000);
  assert.equal(healed.text(), "abc".repeat(20));
});

test("a lane between two parties keeps its order and waits while they are parted or one of them stands still", async () => {
  const { clock, network } = place(1);
  const lane = network.laneOf("a", "b");
  const seen: number[] = [];
  const send = (index: number): void => lane.send(0, false, () => seen.push(index));
  for (const index of [1, 2, 3]) send(index);
  assert.deepEqual(seen, []);
  await clock.advance(5);
  assert.deepEqual(seen, [1, 2, 3]);
  for (const [hold, free] of [
    [() => network.partition("a", "b"), () => network.heal("a", "b")],
    [() => network.freeze("b"), () => network.thaw("b")],
    [() => network.freeze("b"), () => network.crash("b")],
  ] as const) {
    seen.length = 0;
    hold();
    send(4);
    send(5);
    await clock.advance(1_000);
    assert.deepEqual(seen, []);
    free();
    await clock.advance(5);
    assert.deepEqual(seen, [4, 5]);
  }
});
