// A field of a HotStandbyConfig that is called built has an effect, and a test that would fail without it. The others say "not yet".
import assert from "node:assert/strict";
import { test } from "node:test";
import { hotStandbyConfigFields } from "../src/api/hot-standby-config-fields.ts";
import { readFiles } from "./support/source-files.ts";

/** Field -> a part of the name of the test that shows its effect. */
const EFFECTS: Readonly<Record<string, string>> = {
  tenant: "gateway: a tenant sees and reaches its own models only",
  priority: "inside a tier the higher priority is placed first",
  tier: "absent levels take the row of the tier",
  qosClass: "a QoS class is the share of compute of a shared GPU",
  isolation: "isolation is what each partition must give at least",
  "model.name": "gateway: a tenant sees and reaches its own models only",
  "model.engine": "the steps of sleep and wake are those of",
  "model.revision": "engines of one model give one known answer, of another revision another",
  "model.weights": "a written level without numbers is one instance with weights and a quarter",
  "model.contextLength": "gateway: a context that is too long keeps its code and says the limit",
  "model.tensorParallelSize": "an instance of tensorParallelSize 2 takes two whole GPUs of one node",
  "model.args": "the simulated engine's arguments say the whole plan, the manifest's last",
  "model.adapters": "the models list names the model, its adapters and the context that fits",
  "hotStandby.gpuCount": "two hot and one warm stand on three nodes where there are three",
  "hotStandby.memoryReserved": "the published platinum manifest becomes a platinum service with its own bytes",
  "hotStandby.nodeSelector": "a node selector is a condition",
  "hotStandby.gpuMemoryShare": "an exclusive GPU has no ceiling",
  "hotStandby.capacityType": "a written capacityType is a condition",
  "warmStandby.gpuCount": "gpuCount 0 takes a level away that the tier would give",
  "warmStandby.memoryReserved": "the published platinum manifest becomes a platinum service with its own bytes",
  "warmStandby.nodeSelector": "a node selector is a condition",
  "warmStandby.gpuMemoryShare": "a shared instance takes no GPU that somebody has alone",
  "warmStandby.capacityType": "hot prefers on-demand, warm does not mind spot",
  "warmStandby.rest": "a verified start that nothing needs goes straight to sleep",
  "coldStandby.gpuCount": "a cold reserve is bytes beside others, away from its own service",
  "coldStandby.memoryReserved": "a reserve that stood in for a hot instance ends when hot has been whole for the soak",
  "coldStandby.nodeSelector": "a node selector is a condition",
  "coldStandby.gpuMemoryShare": "a cold reserve is bytes beside others, away from its own service",
  "coldStandby.capacityType": "a written capacityType is a condition",
  "coldStandby.imageCache": "a cached image loads at the disk's rate, another one at the network's",
  "traffic.weights": "weights that are asked for count",
  "traffic.mirrorPercent": "mirror: of 2,000 requests one in ten is copied",
  "traffic.affinity": "weights: 80 to 20 gives four and one in every five, spread out",
  "overflow.inFlightRatio": "saturated hots overflow to the ready warm",
  "overflow.queuedForMs": "a queue for the stated time is saturated",
  "degraded[].kind": "gateway: a service whose first degraded step sheds holds nobody",
  "degraded[].upTo": "at its deadline a held request is refused",
  "degraded[].name": "degraded: when the queue's time is over the named model answers, and the answer says so",
  "failoverPolicy.autoFailover": "a service that only advises holds its gateways too",
  "failoverPolicy.maxFailoverCount": "the fourth failover of a window is held",
  "failoverPolicy.window": "the fourth failover of a window is held",
  "failoverPolicy.rtoTarget": "a promise of ${rtoTarget} gives a wake ${withinMs} ms",
  "failoverPolicy.failback.preferred": "a service that prefers ${preferred} is on ${level} a minute after both hot instances came back",
  "failoverPolicy.failback.soak": "failback waits for the soak of all of hot, and a break begins it anew",
  "failoverPolicy.failback.steps": "traffic returns in the configured steps, each for a tenth of the soak",
  "limits.concurrency": "gateway: more open requests than the limit are answered 429 with the time to wait",
  "limits.maxTokens": "gateway: the token limit refuses more and is added where a request names none",
};

test("every field that is built names a test of its effect, and no field that is not built does", () => {
  const built = hotStandbyConfigFields.filter((field) => field.effect === "built").map((field) => field.path.replace(/^spec\./, ""));
  assert.deepEqual(Object.keys(EFFECTS).toSorted(), built.toSorted());
});

test("every test that shows the effect of a field is there", () => {
  const own = "test/field-effects.test.ts";
  const texts = readFiles((path) => path.endsWith(".test.ts") && path !== own).map((file) => file.text);
  const missing = Object.entries(EFFECTS).filter(([, name]) => !texts.some((text) => isNamed(text, name)));
  assert.deepEqual(missing, []);
});

/** The name begins a quoted text. */
const isNamed = (text: string, name: string): boolean => ['"', "`"].some((quote) => text.includes(`${quote}${name}`));
