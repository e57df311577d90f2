import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_CLOCK } from "../api/failover-record.ts";
import { NO_FAILBACK, type ServiceStatus } from "../api/service-status.ts";
import { epoch, generation } from "../base/ids.ts";
import { checkFailback } from "./check-failback.ts";
import { checkExclusiveGpus, checkGpuMemory } from "./check-gpus.ts";
import { checkDeadWeight, checkGenerations, checkWeights } from "./check-instances.ts";
import { checkHold, checkLadder, checkMoveCount } from "./check-moves.ts";
import { checkRecords } from "./check-records.ts";
import type { LadderChecker } from "./checker.ts";
import type { LadderView } from "./ladder-view.ts";
import {
  at,
  dead,
  engine,
  gpu,
  hot1,
  hot2,
  instance,
  move,
  moved,
  operatorsRecord,
  partition,
  records,
  status,
  statuses,
  view,
  warm1,
} from "./ladder-view-rig.ts";

// Every checker is shown what must never be, and what may: a checker that finds nothing is worth nothing.

const full = { inWindow: 2, max: 2, windowStart: at(1_000) };
const woken: ServiceStatus = status({ failovers: full, instances: [hot1, hot2, { ...warm1, state: "Waking" }] });
const held = status({ failovers: full });
const twoHeld = statuses(held, { ...held }, woken);

const atStep = (percent: number): ServiceStatus => moved({ failback: { ...NO_FAILBACK, step: { percent, since: at(0) } } });
const back = (): ServiceStatus =>
  status({ epoch: epoch(3), revision: 3, openMove: move({ epoch: epoch(3), from: "warm", to: "hot", cause: "failback" }) });

interface Case {
  readonly name: string;
  readonly checker: () => LadderChecker;
  readonly views: readonly LadderView[];
  /** A part of what is found; null = nothing is. */
  readonly finds: string | null;
}
const cases: readonly Case[] = [
  { name: "a GPU holds what it can", checker: checkGpuMemory, views: [view({ gpus: gpu(["a", 1, 40], ["b", 2, 40]) })], finds: null },
  { name: "a GPU holds more", checker: checkGpuMemory, views: [view({ gpus: gpu(["a", 1, 40], ["b", 2, 41]) })], finds: "holds 81 of 80" },
  {
    name: "a GPU is promised twice",
    checker: checkGpuMemory,
    views: [view({ gpus: gpu(), partitions: [partition("a"), partition("b", { memoryBytes: 41 })] })],
    finds: "is promised to 81",
  },
  {
    name: "an exclusive GPU has two owners",
    checker: checkExclusiveGpus,
    views: [view({ gpus: gpu(), partitions: [partition("a"), partition("b", { mode: "mps" })] })],
    finds: "belongs to a-1 alone, and to b-1",
  },
  {
    name: "an exclusive GPU holds bytes of a process that lives",
    checker: checkExclusiveGpus,
    views: [view({ gpus: gpu(["b", 2, 1]), partitions: [partition("a")], engines: [engine("b", 2)] })],
    finds: "holds bytes of b",
  },
  {
    name: "an exclusive GPU holds bytes of a dead process, for a moment",
    checker: checkExclusiveGpus,
    views: [view({ gpus: gpu(["b", 2, 1]), partitions: [partition("a")] })],
    finds: null,
  },
  { name: "weights of 80 and 20", checker: checkWeights, views: statuses(status()), finds: null },
  {
    name: "weights of 80 and 80",
    checker: checkWeights,
    views: statuses(status({ instances: [hot1, { ...hot2, weight: 80 }] })),
    finds: "are 160 together",
  },
  {
    name: "even weights that nobody asked for",
    checker: checkWeights,
    views: statuses(
      status({
        instances: [
          { ...hot1, weight: 50 },
          { ...hot2, weight: 50 },
        ],
      }),
    ),
    finds: "the hot weights are 50 and 50",
  },
  {
    name: "a standby with a weight",
    checker: checkWeights,
    views: statuses(status({ instances: [{ ...warm1, weight: 5 }] })),
    finds: "stands by on warm with weight 5",
  },
  {
    name: "a Ready engine whose process is gone for long",
    checker: checkDeadWeight,
    views: statuses(
      status({ instances: [hot1] }),
      status({ instances: [hot1] }),
      status({ instances: [hot1] }),
      status({ instances: [hot1] }),
    ),
    finds: "is Ready at generation 1, which ended",
  },
  {
    name: "one whose process is gone for a moment",
    checker: checkDeadWeight,
    views: statuses(status({ instances: [hot1] }), status({ instances: [hot1] })),
    finds: null,
  },
  {
    name: "a request at an old generation",
    checker: checkGenerations,
    views: [
      ...statuses(status({ instances: [{ ...hot1, generation: generation(2) }] })),
      view({ begun: [{ instance: hot1.name, generation: 1 }] }),
    ],
    finds: "took a request at generation 1, and 2 is Ready",
  },
  {
    name: "a request at the newest generation, which was not Ready before",
    checker: checkGenerations,
    views: [...statuses(status()), view({ begun: [{ instance: hot1.name, generation: 2 }] })],
    finds: null,
  },
  { name: "a move down to the next rung", checker: checkLadder, views: statuses(status(), moved()), finds: null },
  {
    name: "an epoch that goes back",
    checker: checkLadder,
    views: statuses(moved(), status({ revision: 3 })),
    finds: "epoch 2 is followed by 1",
  },
  {
    name: "a revision that goes back",
    checker: checkLadder,
    views: statuses(moved({ revision: 9 }), moved({ revision: 8 })),
    finds: "revision 9 is followed by 8",
  },
  {
    name: "a level that moves without an epoch",
    checker: checkLadder,
    views: statuses(status(), status({ level: "cold" })),
    finds: "in one epoch",
  },
  {
    name: "a move past a rung that is Ready",
    checker: checkLadder,
    views: statuses(status(), moved({ level: "cold", openMove: move({ to: "cold" }) })),
    finds: "past tenant-a-warm-1, which is Ready",
  },
  {
    name: "an operator's move past a rung that is Ready",
    checker: checkLadder,
    views: statuses(status(), moved({ level: "cold", openMove: move({ to: "cold", requestedBy: "operator" }) })),
    finds: null,
  },
  {
    name: "a failback to half of hot",
    checker: checkLadder,
    views: statuses(
      moved(),
      status({
        epoch: epoch(3),
        revision: 3,
        openMove: move({ epoch: epoch(3), to: "hot", cause: "failback" }),
        instances: [hot1, dead(hot2)],
      }),
    ),
    finds: "fails back to hot with 1 of 2 Ready",
  },
  {
    name: "a failback by all of its steps",
    checker: checkFailback,
    views: statuses(atStep(1), atStep(10), atStep(50), atStep(100), back()),
    finds: null,
  },
  {
    name: "a step that leaves one out",
    checker: checkFailback,
    views: statuses(atStep(1), atStep(50)),
    finds: "from 1 % to 50 %, and not to 10 %",
  },
  { name: "a step back", checker: checkFailback, views: statuses(atStep(50), atStep(10)), finds: "from 50 % to 10 %, and not to 100 %" },
  { name: "a failback that is undone", checker: checkFailback, views: statuses(atStep(50), moved(), atStep(1)), finds: null },
  {
    name: "a failback before its last step",
    checker: checkFailback,
    views: statuses(atStep(50), back()),
    finds: "fails back to hot from a step of 50 %",
  },
  {
    name: "a failback without a step",
    checker: checkFailback,
    views: statuses(moved(), back()),
    finds: "fails back to hot from a step of 0 %",
  },
  {
    name: "the end of a rollout, without a step",
    checker: checkFailback,
    views: statuses(moved({ openMove: move({ cause: "rollout" }) }), back()),
    finds: null,
  },
  {
    name: "a step on hot",
    checker: checkFailback,
    views: statuses(status(), status({ failback: atStep(1).failback })),
    finds: "is on hot, and at a step of 1 %",
  },
  { name: "a move down that counts", checker: checkMoveCount, views: statuses(status(), moved()), finds: null },
  {
    name: "a move down that does not count",
    checker: checkMoveCount,
    views: statuses(status(), moved({ failovers: { inWindow: 0, max: 2, windowStart: null } })),
    finds: "a move for refused brings the count from 0 to 0",
  },
  {
    name: "a rollout's move that counts",
    checker: checkMoveCount,
    views: statuses(status(), moved({ openMove: move({ cause: "rollout" }) })),
    finds: "no move brings the count from 0 to 1",
  },
  {
    name: "a move after the window, which begins a new one",
    checker: checkMoveCount,
    views: statuses(status({ failovers: full }), moved({ openMove: move({ decidedAt: at(31_000) }) })),
    finds: null,
  },
  {
    name: "a move in the window that begins a new one",
    checker: checkMoveCount,
    views: statuses(status({ failovers: full }), moved({ openMove: move({ decidedAt: at(30_999) }) })),
    finds: "from 2 to 1",
  },
  { name: "a wake under Hold", checker: checkHold, views: twoHeld, finds: "is woken under Hold" },
  {
    name: "a reserve started under Hold",
    checker: checkHold,
    views: statuses(
      held,
      { ...held },
      { ...held, instances: [hot1, hot2, warm1, instance("cold-1", { level: "cold", state: "Starting" })] },
    ),
    finds: "is started under Hold",
  },
  {
    name: "a wake when the Hold is new",
    checker: checkHold,
    views: statuses(status(), held, woken).map((one) => ({ ...one, atMs: 0 })),
    finds: null,
  },
  {
    name: "a wake under Hold that an operator asked for",
    checker: checkHold,
    views: twoHeld.map((one) => ({ ...one, records: [operatorsRecord] })),
    finds: null,
  },
  {
    name: "a wake under Hold by a gateway that was cut off",
    checker: checkHold,
    views: twoHeld.map((one) => ({ ...one, isLinkCut: true })),
    finds: null,
  },
  { name: "a record that runs and ends", checker: checkRecords, views: records({ epoch: null }, {}, { phase: "Completed" }), finds: null },
  {
    name: "a record that ends twice",
    checker: checkRecords,
    views: records({ phase: "Completed" }, { phase: "Failed" }),
    finds: "ended as Completed and becomes Failed",
  },
  {
    name: "a record that runs again",
    checker: checkRecords,
    views: records({ phase: "Failed" }, {}),
    finds: "ended as Failed and becomes Running",
  },
  {
    name: "a record of two epochs",
    checker: checkRecords,
    views: records({}, { epoch: epoch(3) }),
    finds: "belonged to epoch 2 and now to 3",
  },
  {
    name: "a clock that goes back",
    checker: checkRecords,
    views: records({ clock: { ...NO_CLOCK, decided: at(2_000), routed: at(1_999) } }),
    finds: "comes before decided",
  },
  {
    name: "a time that is measured again",
    checker: checkRecords,
    views: records({ clock: { ...NO_CLOCK, routed: at(1) } }, { clock: { ...NO_CLOCK, routed: at(2) } }),
    finds: "routed was",
  },
];
for (const { name, checker, views, finds } of cases) {
  test(`the checker ${checker().name} sees ${name}`, () => {
    const looking = checker();
    const found = views.flatMap((one) => looking.look(one)).map(({ what }) => what);
    if (finds === null) assert.deepEqual(found, []);
    else assert.ok(found.length === 1 && found[0]?.includes(finds), found.join("; "));
  });
}
