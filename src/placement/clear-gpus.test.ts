import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import {
  at,
  begun,
  change,
  coldOf,
  finish,
  grow,
  leave,
  look,
  node,
  placesOf,
  service,
  stageOf,
  strong,
  warmOf,
  worldOf,
  type Stage,
} from "./fake-relocation.ts";
import { explainPlacement } from "./explain-placement.ts";

const told = (stage: Stage): string => {
  const relocation = begun(stage);
  if (relocation === null) return "nobody moves";
  const victims = relocation.victims.map((victim) => `${victim.instance} ${at(victim.from)} -> ${at(victim.to)}`);
  return `${victims.join(", ")}, for ${relocation.places.map(at).join(" + ")}`;
};
const roomOf = (stage: Stage, instance: string): string | null => {
  const report = explainPlacement(worldOf(stage)).find(({ request }) => request.instance === instance);
  return report === undefined || report.outcome.kind === "placed" ? null : report.outcome.room;
};
const PAIR: JsonObject = {
  model: { name: "big", weights: "4GB", tensorParallelSize: 2 },
  hotStandby: { gpuCount: 2, memoryReserved: "120GB" },
};
const WHOLE: JsonObject = { hotStandby: { gpuMemoryShare: false, memoryReserved: "40GB" } };

/** A warm instance and a reserve on the two GPUs of n, a hot one on that of o, each with 60 GB beside it. */
function scattered(): Stage {
  const stage = stageOf([node("n", 2), node("o", 1)]);
  grow(stage, service("f", "60GB"), service("g", "60GB"), service("h", "60GB"));
  grow(stage, warmOf(service("w", "20GB")), coldOf(service("k", "20GB")), service("y", "20GB"));
  leave(stage, "f", "g", "h");
  assert.deepEqual(placesOf(stage), { "w-warm-1": "n/0", "k-cold-1": "n/1", "y-hot-1": "o/0" });
  return stage;
}

test("an instance of two GPUs gets those of a node whose tenants fit elsewhere", () => {
  const stage = scattered();
  stage.mayBegin = false;
  grow(stage, service("big", "120GB", PAIR));
  const moves = "w-warm-1 from n/0 to o/0, then k-cold-1 from n/1 to o/0";
  assert.equal(roomOf(stage, "big-hot-1"), `Room would be made at n/0 and n/1 by moving ${moves}.`);
  stage.mayBegin = true;
  look(stage);
  assert.equal(told(stage), "w-warm-1 n/0 -> o/0, k-cold-1 n/1 -> o/0, for n/0 + n/1");
  assert.equal(finish(stage), "Completed");
  assert.deepEqual(placesOf(stage), { "w-warm-1": "o/0", "k-cold-1": "o/0", "y-hot-1": "o/0", "big-hot-1": "n/0 + n/1" });
});

test("of the GPUs of a node it takes those that are free, and clears the cheapest others", () => {
  const stage = stageOf([node("n", 3)]);
  grow(stage, service("f", "60GB"), service("g", "60GB"), service("h", "60GB"));
  grow(stage, warmOf(service("w", "20GB")), coldOf(service("k", "20GB")));
  leave(stage, "f", "g", "h");
  assert.deepEqual(placesOf(stage), { "w-warm-1": "n/0", "k-cold-1": "n/1" });
  grow(stage, service("big", "120GB", PAIR));
  assert.equal(told(stage), "k-cold-1 n/1 -> n/0, for n/1 + n/2");
  assert.equal(finish(stage), "Completed");
});

test("all of a GPU move or none: one that has nowhere to go keeps its neighbours where they are", () => {
  const stage = stageOf([node("n", 2), node("o", 1)]);
  grow(stage, service("f", "40GB"), service("g", "60GB"), service("h", "60GB"));
  grow(stage, warmOf(service("w", "35GB")), coldOf(service("k", "20GB")), service("y", "20GB"));
  leave(stage, "f", "g");
  const before = placesOf(stage);
  grow(stage, service("big", "120GB", PAIR));
  assert.equal(told(stage), "nobody moves");
  assert.deepEqual({ ...placesOf(stage), "big-hot-1": "" }, { ...before, "big-hot-1": "" });
});

test("more than four are not moved for one, nor anybody who is all that his service has", () => {
  const stage = stageOf([node("n", 1), node("o", 1)]);
  grow(stage, service("y", "20GB"), service("f", "55GB"));
  const small = ["a", "b", "c", "d", "e"];
  grow(stage, ...small.map((name) => coldOf(service(name, "10GB"))));
  leave(stage, "f");
  grow(stage, service("whole", "40GB", WHOLE));
  assert.equal(told(stage), "nobody moves");
  leave(stage, "e");
  look(stage);
  assert.notEqual(told(stage), "nobody moves");
  const alone = stageOf([node("n", 1), node("o", 1)]);
  grow(alone, service("f", "75GB"), service("v", "20GB"));
  leave(alone, "f");
  grow(alone, service("y", "70GB"), service("whole", "40GB", WHOLE));
  assert.equal(told(alone), "nobody moves");
});

test("a card that is cut by MIG is cleared for who has it alone", () => {
  const stage = stageOf([node("n", 2)]);
  grow(stage, warmOf(strong("v", "20GB")), warmOf(strong("u", "10GB")), strong("a", "40GB"), strong("b", "20GB"));
  leave(stage, "a");
  grow(stage, service("whole", "40GB", WHOLE));
  assert.equal(told(stage), "u-warm-1 n/0 1g@5 -> n/1 1g@5, v-warm-1 n/0 1g-double@6 -> n/1 1g-double@2, for n/0");
  assert.equal(finish(stage), "Completed");
  assert.deepEqual(placesOf(stage), {
    "b-hot-1": "n/1 1g-double@6",
    "u-warm-1": "n/1 1g@5",
    "v-warm-1": "n/1 1g-double@2",
    "whole-hot-1": "n/0",
  });
});

/** v runs on a quarter of o; half of n is free once u stands elsewhere on it. */
function narrow(): Stage {
  const stage = stageOf([node("n", 1), node("o", 1)]);
  grow(stage, strong("a", "20GB"), strong("b", "20GB"), warmOf(strong("u", "20GB")), strong("a2", "10GB"));
  grow(stage, strong("f", "40GB"), strong("g", "20GB"), warmOf(strong("v", "20GB")));
  leave(stage, "a", "a2");
  return stage;
}
const wider = () => warmOf(strong("v", "40GB")).filter(({ level }) => level === "warm");

test("who runs on too little, and finds no other place, gets room by moves of others, and goes there last", () => {
  const stage = narrow();
  stage.mayBegin = false;
  change(stage, wider());
  const dryRun = "Room would be made at n/0 3g@0 by moving u-warm-1 from n/0 1g-double@2 to n/0 1g-double@6.";
  assert.equal(roomOf(stage, "v-warm-1"), dryRun);
  stage.mayBegin = true;
  look(stage);
  assert.equal(told(stage), "u-warm-1 n/0 1g-double@2 -> n/0 1g-double@6, for n/0 3g@0");
  const order: string[] = [];
  for (let turn = 0; turn < 20 && begun(stage)?.status?.endedAt == null; turn += 1) {
    look(stage);
    order.push(stage.known.flatMap(({ instance, leaving }) => (leaving === null ? [] : [instance])).join(" and "));
  }
  assert.deepEqual(
    order.filter((names) => names !== ""),
    ["u-warm-1", "v-warm-1"],
  );
  assert.equal(begun(stage)?.status?.phase, "Completed");
  assert.equal(placesOf(stage)["v-warm-1"], "n/0 3g@0");
});

test("who runs on too little stays there when the room cannot be made", () => {
  const stage = narrow();
  change(stage, wider());
  for (let turn = 0; turn < 4; turn += 1) look(stage, { isStuck: true });
  stage.elapsedMs = (begun(stage)?.budgetMs ?? 0) + 1;
  assert.equal(finish(stage), "RolledBack");
  assert.equal(placesOf(stage)["v-warm-1"], "o/0 1g-double@0");
});

test("a reserve whose new place is taken meanwhile keeps the one that it has, and the wish waits", () => {
  const stage = scattered();
  grow(stage, service("big", "120GB", PAIR));
  assert.notEqual(told(stage), "nobody moves");
  // Its own config takes what was free beside it, in the very look in which the reserve would go.
  const [wider] = service("y", "65GB");
  assert.ok(wider !== undefined);
  stage.wanted = stage.wanted.map((request) => (request.instance === wider.instance ? wider : request));
  for (let turn = 0; turn < 3; turn += 1) look(stage);
  const { "k-cold-1": reserve, "w-warm-1": warm } = placesOf(stage);
  assert.deepEqual([reserve, warm], ["n/1", "n/0"]);
  assert.ok(stage.known.every(({ leaving }) => leaving === null));
  stage.elapsedMs = (begun(stage)?.budgetMs ?? 0) + 1;
  assert.equal(finish(stage), "RolledBack");
  assert.deepEqual([placesOf(stage)["k-cold-1"], placesOf(stage)["w-warm-1"]], ["n/1", "n/0"]);
});

test("where tenants must not meet, a card of another tenant is cleared like any: nobody is left on it", () => {
  const stage = stageOf([node("o", 1, "main", { containerToolkit: "1.17.4" })]);
  grow(stage, coldOf(service("k", "20GB")));
  stage.nodes = [node("n", 1), ...stage.nodes];
  grow(stage, service("y", "30GB"), service("e", "40GB", WHOLE));
  assert.deepEqual(placesOf(stage), { "k-cold-1": "o/0", "y-hot-1": "n/0", "e-hot-1": "nowhere" });
  assert.equal(told(stage), "k-cold-1 o/0 -> n/0, for o/0");
  assert.equal(finish(stage), "Completed");
  assert.deepEqual(placesOf(stage), { "k-cold-1": "n/0", "y-hot-1": "n/0", "e-hot-1": "o/0" });
});
