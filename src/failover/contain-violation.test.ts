import assert from "node:assert/strict";
import { test } from "node:test";
import { formatWall } from "../base/time.ts";
import { wallMs } from "../base/ids.ts";
import { decideInstance } from "./decide-instance.ts";
import { look, NAME, recorded, running, service } from "./fake-instance.ts";

const NOW = 1_800_000_000_000;
const at = (agoMs: number): string => formatWall(wallMs(NOW - agoMs));
const violation = { pid: running.pid, what: "it took too much" };
const done = (count: number, agoMs = 0) => ({ count, at: at(agoMs), what: "it took too much" });

for (const state of ["Ready", "Suspect", "Asleep", "Waking", "Verifying", "Draining"] as const) {
  test(`containment: an engine that is ${state} and takes more than its share is fenced, and it is remembered`, () => {
    const decided = decideInstance(look({ recorded: recorded(state), running, violation }), service());
    assert.deepEqual(decided.actions, [{ type: "fence", instance: NAME }]);
    assert.deepEqual([decided.next?.state, decided.next?.violations], ["Fenced", done(1)]);
    assert.match(decided.notes[0]?.why ?? "", /it took too much/);
  });
}

test("containment: one that is being ended is not counted twice", () => {
  const decided = decideInstance(
    look({ recorded: recorded("Fenced", { violations: done(1) }), running, violation, task: { kind: "stopping" } }),
    service(),
  );
  assert.deepEqual([decided.actions, decided.next?.violations?.count], [[], 1]);
});

test("containment: what an earlier process did does not end this one", () => {
  const decided = decideInstance(look({ recorded: recorded("Ready"), running, violation: { ...violation, pid: 6 } }), service());
  assert.equal(decided.next?.state, "Ready");
});

test("containment: an engine that nobody asks for any more is ended without grace, once", () => {
  const seen = { desired: null, running, violation, task: { kind: "stopping" } } as const;
  const decided = decideInstance(look({ ...seen, recorded: recorded("Draining") }), service());
  assert.deepEqual(decided.actions, [{ type: "fence", instance: NAME }]);
  assert.deepEqual(decideInstance(look({ ...seen, recorded: decided.next }), service()).actions, []);
});

test("containment: a drain that is at work does not hold up the end of who takes more", () => {
  const decided = decideInstance(look({ recorded: recorded("Draining"), running, violation, task: { kind: "stopping" } }), service());
  assert.deepEqual([decided.next?.state, decided.actions], ["Fenced", [{ type: "fence", instance: NAME }]]);
});

for (const { name, violations, isSpecNew = false, starts, againMs } of [
  { name: "after the first time it is started again at once", violations: done(1), starts: true, againMs: null },
  { name: "after the second time it waits a minute", violations: done(2, 20_000), starts: false, againMs: 40_000 },
  { name: "after the second time and a minute it is started", violations: done(2, 60_000), starts: true, againMs: null },
  { name: "after the third time it waits for a person", violations: done(3, 600_000), starts: false, againMs: null },
  { name: "a changed config is a new chance", violations: done(3), isSpecNew: true, starts: true, againMs: null },
  { name: "after an hour it is forgotten", violations: done(3, 3_600_000), starts: true, againMs: null },
  { name: "a clock that was set back shortens no pause", violations: done(2, -5_000), starts: false, againMs: 60_000 },
]) {
  test(`containment: ${name}`, () => {
    const decided = decideInstance(look({ recorded: recorded("Fenced", { violations }) }), service({ isSpecNew }));
    assert.equal(
      decided.actions.some(({ type }) => type === "start"),
      starts,
    );
    assert.equal(decided.lookAgainAfterMs, againMs);
    if (!starts) assert.match(decided.next?.message ?? "", /it took too much, [23] times/);
  });
}

test("containment: one that has kept to its share for an hour is as new", () => {
  const decided = decideInstance(look({ recorded: recorded("Ready", { violations: done(2, 3_600_000) }), running }), service());
  assert.equal(decided.next?.violations, null);
});
