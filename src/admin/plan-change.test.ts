import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { RESERVATION_NAME } from "../api/reservation.ts";
import { wallMs } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { createApply } from "./apply.ts";
import { toKubernetes } from "./kubernetes-form.ts";

const reservation = (...tenants: readonly JsonObject[]): JsonObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: RESERVATION_NAME, namespace: "kube-system" },
  data: { "reservation.yaml": JSON.stringify({ tenants }) },
});
const config = (name: string, spec: JsonObject = {}): JsonObject => ({
  apiVersion: "inference.example.com/v1",
  kind: "HotStandbyConfig",
  metadata: { name },
  spec: { tenant: name, tier: "gold", ...spec },
});
const NOW = { isDryRun: false, isForced: false };
const GOLD = { name: "gold", coldStandby: { memoryReserved: "90GB" } };

function createDoor() {
  const store = createMemoryStore({ wallMs: () => wallMs(0) });
  const door = createApply(store);
  return {
    door,
    apply: async (...documents: readonly JsonObject[]): Promise<readonly string[]> => {
      const text = documents.map((one) => JSON.stringify(one)).join("\n---\n");
      const applied = await door.files([{ path: "m.yaml", text }], NOW);
      assert.ok(applied.ok, JSON.stringify(applied));
      return applied.value.results.map(({ kind, name, action }) => `${kind === "ReservationMap" ? "reservation" : name} ${action}`);
    },
    /** Of each stored config: its name, whose it is, and what it has of the reservation. */
    configs: async (): Promise<readonly string[]> => {
      const listed = await store.list("HotStandbyConfig");
      assert.ok(listed.ok);
      return listed.value.items.map(({ name, labels, annotations, generation }) => {
        const source = labels["tidegate/source"] === undefined ? "written" : "derived";
        return `${name} ${source} g${generation} ${annotations["tidegate/reservation"] ?? "-"}`;
      });
    },
    stored: async (name: string) => {
      const found = await store.get("HotStandbyConfig", name);
      assert.ok(found.ok);
      return found.value;
    },
  };
}

test("a reservation applied after a config reaches it without touching its spec, and its end takes all of it back", async () => {
  const { apply, configs } = createDoor();
  assert.deepEqual(await apply(config("gold")), ["gold created"]);
  assert.deepEqual(await apply(reservation(GOLD, { name: "silver" })), ["reservation created", "gold configured", "silver created"]);
  assert.deepEqual(await configs(), [`gold written g1 ${JSON.stringify(GOLD)}`, "silver derived g1 -"]);
  assert.deepEqual(await apply(reservation(GOLD, { name: "silver" })), ["reservation unchanged"]);
  assert.deepEqual(await apply(reservation()), ["reservation configured", "gold configured", "silver deleted"]);
  assert.deepEqual(await configs(), ["gold written g1 -"]);
});

test("a config applied again without the reservation keeps what the stored reservation adds", async () => {
  const { apply, configs } = createDoor();
  await apply(config("gold"), reservation(GOLD));
  assert.deepEqual(await apply(config("gold")), ["gold unchanged"]);
  assert.deepEqual(await apply(config("gold", { priority: "high" })), ["gold configured"]);
  assert.deepEqual(await configs(), [`gold written g2 ${JSON.stringify(GOLD)}`]);
});

test("a written config takes the place of the derived one, under its name or under another", async () => {
  const { apply, configs } = createDoor();
  await apply(reservation({ name: "a" }, { name: "b" }));
  assert.deepEqual(await apply(config("a"), config("b-chat", { tenant: "b" })), ["a configured", "b-chat created", "b deleted"]);
  assert.deepEqual(await configs(), ["a written g2 -", "b-chat written g1 -"]);
});

test("a derived config cannot be taken away by itself, and a written one leaves a derived one behind", async () => {
  const { door, apply, configs } = createDoor();
  await apply(reservation({ name: "a" }, { name: "b" }), config("a"));
  const refused = await door.remove("HotStandbyConfig", "b");
  assert.equal(refused.ok ? null : refused.error.code, "DERIVED");
  assert.ok((await door.remove("HotStandbyConfig", "a")).ok);
  assert.deepEqual(await configs(), ["a derived g1 -", "b derived g1 -"]);
  assert.ok((await door.remove("ReservationMap", RESERVATION_NAME)).ok);
  assert.deepEqual(await configs(), []);
});

test("what `get` prints of a merged config can be put again and changes nothing", async () => {
  const { door, apply, stored, configs } = createDoor();
  await apply(config("gold"), reservation(GOLD));
  const put = await door.put(
    { kind: "HotStandbyConfig", name: "gold", isForced: false },
    JSON.stringify(toKubernetes(await stored("gold"))),
  );
  assert.equal(put.ok ? put.value.action : put.error.code, "unchanged");
  assert.deepEqual(await configs(), [`gold written g1 ${JSON.stringify(GOLD)}`]);
});

test("a derived config that is put by hand is a written one from then on", async () => {
  const { door, apply, stored, configs } = createDoor();
  await apply(reservation({ name: "a" }));
  const put = await door.put({ kind: "HotStandbyConfig", name: "a", isForced: false }, JSON.stringify(toKubernetes(await stored("a"))));
  assert.equal(put.ok ? put.value.action : put.error.code, "configured");
  assert.deepEqual(await configs(), ["a written g1 -"]);
});

test("a put that makes a service ambiguous changes its neighbour with it, in one step", async () => {
  const { door, apply, configs } = createDoor();
  await apply(config("chat", { tenant: "gold" }), reservation(GOLD));
  assert.deepEqual(await configs(), [`chat written g1 ${JSON.stringify(GOLD)}`]);
  const body = JSON.stringify(config("draft", { tenant: "gold", model: { name: "tide-1b" } }));
  assert.ok((await door.put({ kind: "HotStandbyConfig", name: "draft", isForced: false }, body)).ok);
  assert.deepEqual(await configs(), ["chat written g1 -", "draft written g1 -"]);
});

test("a reservation that makes a stored config wrong is refused, and nothing is stored", async () => {
  const { door, apply, configs } = createDoor();
  await apply(config("gold"));
  const text = JSON.stringify(reservation({ name: "gold", warmStandby: { memoryReserved: "1GB" } }));
  const applied = await door.files([{ path: "r.json", text }], NOW);
  assert.ok(!applied.ok && applied.error.code === "PROBLEMS");
  assert.deepEqual(
    applied.error.problems.map(({ code, file, path }) => [code, file, path]),
    [["BELOW_WEIGHTS", "r.json", "data.reservation.yaml.tenants[0].warmStandby.memoryReserved"]],
  );
  assert.deepEqual(await configs(), ["gold written g1 -"]);
});

test("only who changes services hears again what the reservation contradicts", async () => {
  const { door, apply } = createDoor();
  await apply(config("gold", { coldStandby: { memoryReserved: "40GB" } }), reservation(GOLD));
  const node = { ...config("n"), kind: "GPUNode", spec: { gpus: [{ model: "H200-141GB", count: 4 }] } };
  const codes = async (document: JsonObject) => {
    const applied = await door.files([{ path: "m.json", text: JSON.stringify(document) }], { isDryRun: true, isForced: false });
    return applied.ok
      ? applied.value.warnings.map(({ code }) => code).filter((code) => code.startsWith("RESERVATION"))
      : [applied.error.code];
  };
  assert.deepEqual([await codes(node), await codes(reservation(GOLD))], [[], ["RESERVATION_CONFLICT"]]);
});
