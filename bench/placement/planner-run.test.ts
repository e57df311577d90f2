import assert from "node:assert/strict";
import { test } from "node:test";
import { plannerRun } from "./planner-run.ts";
import { fillWithServices } from "./service-run.ts";
import { ServiceRules } from "./service-site.ts";

test("a member may not have a node of its service, nor a zone with another level, and is near in any zone of the service", () => {
  const rules = new ServiceRules(new Map([1, 2, 3].map((index) => [`n${index}`, index === 3 ? "z2" : "z1"])));
  rules.take("hot", "n1");
  assert.deepEqual(
    ["n1", "n2", "n3"].map((node) => [rules.isBarred("hot", node), rules.isBarred("warm", node), rules.isNear(node)]),
    [
      [true, true, true],
      [false, true, true],
      [false, false, false],
    ],
  );
});

test("told what is wanted, the planner fills a fleet further before the first refusal, however its nodes are named, and nothing is fragile", () => {
  const of = (chooser: "planner" | "planner-untold", names: "in-turn" | "by-zone") =>
    fillWithServices(plannerRun({ mix: "services", names, chooser, seed: 1 }));
  for (const names of ["in-turn", "by-zone"] as const) {
    const [told, untold] = [of("planner", names), of("planner-untold", names)];
    assert.ok(told.firstRefusal > untold.firstRefusal + 0.5, `${names}: ${told.firstRefusal} after ${untold.firstRefusal}`);
    assert.deepEqual([told.fragile, untold.fragile], [0, 0]);
  }
});
