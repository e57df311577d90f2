import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createInProcessLink } from "../adapters/gateway-link/in-process.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { gatewayId, instanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { ZONE_LABEL } from "../api/gpu-node.ts";
import type { DownMessage } from "../api/link-message.ts";
import type { Kind } from "../api/resource.ts";
import type { RouteTable } from "../api/route-table.ts";
import { GOLD } from "./fake-control-world.ts";
import { FakePlatform } from "./fake-platform.ts";
import { startControllers } from "./start-controllers.ts";

/** The whole control plane over fake engines, with the real allocator and a gateway at the other end of the link. */
function createWorld() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const platform = new FakePlatform(clock);
  const { hub, link } = createInProcessLink();
  const told: DownMessage[] = [];
  const id = gatewayId("gateway-0");
  link.open(
    { type: "hello", gateway: id, pid: 1, address: "127.0.0.1:8080" },
    {
      connected: () => undefined,
      disconnected: () => undefined,
      message(message) {
        told.push(message);
        if (message.type !== "table") return;
        const { uid, epoch, revision } = message.table;
        link.send({ type: "ack", uid, epoch, revision });
      },
    },
  );
  const create = async (kind: Kind, name: string, spec: JsonObject, labels: Readonly<Record<string, string>> = {}): Promise<void> => {
    assert.ok((await store.create({ kind, name, spec, labels, annotations: {} })).ok);
  };
  const start = () =>
    startControllers({
      store,
      clock,
      hub,
      gatewayProcesses: { running: () => [], watch: () => () => false },
      launcher: platform.launcher,
      driver: platform.driver,
      upstream: platform.upstream,
      random: createSeededRandom(1),
      log: { record: () => undefined },
      stateId: "state-1",
    });
  const tables = (): readonly RouteTable[] => {
    const byUid = new Map(told.flatMap((message) => (message.type === "table" ? [[message.table.uid, message.table] as const] : [])));
    for (const message of told) if (message.type === "table-removed") byUid.delete(message.uid);
    return [...byUid.values()];
  };
  const ready = (): readonly string[] =>
    tables().flatMap((table) =>
      table.rungs.flatMap((rung) => rung.endpoints.flatMap((e) => (e.isReady ? [`${e.instance}@${e.node}`] : []))),
    );
  return { clock, store, platform, hub, link, told, create, start, tables, ready };
}

const node = (count: number): JsonObject => ({ gpus: [{ model: "H100-80GB", count }] });
const zone = (name: string) => ({ [ZONE_LABEL]: name });

test("from manifests to a table: GPUs are allocated, engines start, gateways hear of it", async () => {
  const { clock, create, start, ready, tables } = createWorld();
  await create("GPUNode", "gpu-a", node(2), zone("az-1"));
  await create("GPUNode", "gpu-b", node(2), zone("az-1"));
  await create("GPUNode", "gpu-c", node(2), zone("az-2"));
  await create("HotStandbyConfig", "gold", GOLD);
  void start();
  await clock.advance(2_000);
  assert.deepEqual(ready(), ["gold-hot-1@gpu-a", "gold-hot-2@gpu-c", "gold-warm-1@gpu-b"]);
  assert.equal(tables()[0]?.rungs[0]?.endpoints[1]?.zone, "az-2");
});

test("an instance whose GPU is lost comes back on another GPU by itself", async () => {
  const { clock, platform, create, start, ready } = createWorld();
  await create("GPUNode", "gpu-a", node(1));
  await create("GPUNode", "gpu-b", node(1));
  await create("GPUNode", "gpu-c", node(1));
  await create("GPUNode", "gpu-d", node(1));
  await create("GPUNode", "gpu-e", node(1));
  await create("HotStandbyConfig", "gold", GOLD);
  void start();
  await clock.advance(2_000);
  const lost = platform.engine("gold-hot-1").plan.members[0];
  platform.lostGpus.add(`${lost?.node}/${lost?.gpu}`);
  await clock.advance(8_000);
  assert.ok(ready().includes("gold-hot-1@gpu-e"), ready().join());
  assert.equal(ready().length, 3);
});

test("the first round names what runs now, not what was stored before a restart", async () => {
  const { clock, platform, hub, create, start, told } = createWorld();
  await create("GPUNode", "gpu-a", node(4));
  await create("HotStandbyConfig", "gold", GOLD);
  const starting = start();
  await clock.advance(2_000);
  await (await starting).stop();
  await hub.close();
  platform.kill("gold-hot-1");
  await clock.advance(1_000);
  told.length = 0;
  void start();
  await clock.advance(20);
  const first = told.find((message) => message.type === "table");
  assert.ok(first?.type === "table");
  assert.deepEqual(
    first.table.rungs[0]?.endpoints.map((endpoint) => [endpoint.instance, endpoint.isReady]),
    [["gold-hot-2", true]],
  );
});

test("a key reaches the gateways as soon as it is stored, as its hash only", async () => {
  const { clock, create, start, told } = createWorld();
  void start();
  await clock.advance(1_100);
  await create("ApiKey", "k1", { tenant: "tenant-gold", hash: "a".repeat(64), prefix: "tg-abc" });
  await clock.advance(10);
  assert.deepEqual(told.at(-1), { type: "keys", keys: [{ hash: "a".repeat(64), id: "k1", tenant: "tenant-gold" }] });
});

test("the sum of what gateways count is kept by service", async () => {
  const { clock, create, start, link, tables } = createWorld();
  await create("GPUNode", "gpu-a", node(4));
  await create("HotStandbyConfig", "gold", GOLD);
  const starting = start();
  await clock.advance(2_000);
  const { service } = tables()[0] ?? assert.fail("no table");
  link.send({
    type: "counts",
    services: [
      {
        service,
        requests: 7,
        failed: 1,
        inFlight: 2,
        promptTokens: 10,
        outputTokens: 20,
        firstTokenP99Ms: null,
        alertCounters: null,
        returned: { requests: 3, failed: 1, firstTokenP99Ms: 9 },
      },
    ],
  });
  await clock.advance(1);
  const controllers = await starting;
  const { requests, returned } = controllers.link.countsOf(service);
  assert.deepEqual([requests, returned], [7, { requests: 3, failed: 1, firstTokenP99Ms: 9 }]);
  assert.deepEqual(
    controllers.link.gateways().map((gateway) => [gateway.id, gateway.behind]),
    [["gateway-0", 0]],
  );
});

test("stopped controllers leave every engine running", async () => {
  const { clock, platform, create, start } = createWorld();
  await create("GPUNode", "gpu-a", node(4));
  await create("HotStandbyConfig", "gold", GOLD);
  const starting = start();
  await clock.advance(2_000);
  await (await starting).stop();
  platform.kill("gold-hot-2");
  await clock.advance(60_000);
  assert.deepEqual([...platform.engines.keys()], [instanceName("gold-hot-1"), instanceName("gold-warm-1")]);
});
