import assert from "node:assert/strict";
import test from "node:test";
import { generation, instanceName, monotonicMs, serviceName, uid } from "../base/ids.ts";
import { EndpointWatch } from "./endpoint-board.ts";

const at = monotonicMs;
const watchOf = (): EndpointWatch =>
  new EndpointWatch(
    {
      instance: instanceName("gold-hot-1"),
      uid: uid("u1"),
      generation: generation(1),
      address: { host: "127.0.0.1", port: 1 },
      engine: "simulated",
      upstreamModel: null,
      isReady: true,
      isAsleep: false,
      isWaking: false,
      weight: 50,
      maxBatch: 64,
      node: null,
      zone: null,
      fingerprint: "f",
      hasProgress: true,
      namesIds: true,
    },
    { service: serviceName("gold"), uid: uid("service-gold") },
    at(0),
  );
const answer = (watch: EndpointWatch, steps: number, askedAtMs: number): void =>
  watch.sawProbeAnswer({ steps, running: 1, waiting: 0, kvUsage: null }, { askedAt: at(askedAtMs), now: at(askedAtMs + 5) });

test("endpoint watch: a token shows a step since the token before it, and none later", () => {
  const watch = watchOf();
  assert.equal(watch.hasSteppedSince(at(0)), false);
  watch.sawStep(at(100));
  watch.sawStep(at(60));
  assert.deepEqual([watch.hasSteppedSince(at(100)), watch.hasSteppedSince(at(101))], [true, false]);
});

test("endpoint watch: a step count that grew shows a step since the probe that saw the smaller one", () => {
  const watch = watchOf();
  answer(watch, 7, 300);
  assert.equal(watch.hasSteppedSince(at(0)), false);
  answer(watch, 7, 550);
  answer(watch, 8, 800);
  assert.deepEqual([watch.hasSteppedSince(at(550)), watch.hasSteppedSince(at(551))], [true, false]);
});

test("endpoint watch: a probe's answer that was overtaken shows no step", () => {
  const watch = watchOf();
  answer(watch, 8, 550);
  answer(watch, 7, 300);
  answer(watch, 8, 800);
  assert.equal(watch.hasSteppedSince(at(0)), false);
});
