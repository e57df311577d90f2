import assert from "node:assert/strict";
import { test } from "node:test";
import type { FuzzTarget, OpenTarget } from "./fuzz-target.ts";
import { Mutator } from "./mutator.ts";
import { runFuzz, TURN_MAX_MS } from "./run-fuzz.ts";
import { TARGETS } from "./targets.ts";

const SEED = 20_261;
/** The fixed part: the corpus of each, and what is made of it first. How many are seconds of a machine that is busy. */
const FIXED: Readonly<Record<string, number>> = { sse: 300, "target-host": 250, body: 3_000, authorization: 1_200, engine: 28 };

for (const [name, open] of Object.entries(TARGETS)) {
  test(`fuzz: the first inputs of ${name} find nothing`, async () => {
    const report = await runFuzz(open, { seed: SEED, isOver: (executions) => executions >= (FIXED[name] ?? 0) });
    assert.equal(report.find?.error, undefined);
    assert.ok(report.executions >= (FIXED[name] ?? 0) && report.executions > 0);
  });
}

const target =
  (run: FuzzTarget["run"]): OpenTarget =>
  () =>
    Promise.resolve({
      corpus: [Buffer.from("tide")],
      words: [Buffer.from("ebb")],
      inputBytesMax: 64,
      lanes: 1,
      run,
      close: async () => undefined,
    });
const found = (open: OpenTarget): ReturnType<typeof runFuzz> => runFuzz(open, { seed: 1, isOver: (executions) => executions >= 2_000 });

test("fuzz: what throws is a find, with the input that did it", async () => {
  const { find, executions } = await found(
    target((input) => {
      if (input.includes("ebb")) throw new Error("It ebbs.");
    }),
  );
  assert.match(find?.error ?? "", /It ebbs/);
  assert.equal(find?.inputs.length, 1);
  assert.ok(find.inputs[0]?.includes("ebb"));
  assert.ok(executions < 2_000);
});

/** Keeps the thread busy for twice the limit, at each input that `isLong` takes. */
const slow =
  (isLong: (input: Buffer) => boolean): OpenTarget =>
  async (watch) => ({
    ...(await target(() => undefined)(watch)),
    run: (input) =>
      watch.time(() => {
        if (!isLong(input)) return;
        for (const from = process.threadCpuUsage().user; process.threadCpuUsage().user - from < 2 * TURN_MAX_MS * 1_000;);
      }),
  });

test("fuzz: a turn that is too long is a find when the same input does it again", async () => {
  let executions = 0;
  const always = await found(
    slow((input) => {
      executions += 1;
      return executions > 300 && input.includes("ebb");
    }),
  );
  assert.match(always.find?.error ?? "", /One turn took/);
  assert.ok(always.find?.inputs[0]?.includes("ebb"));
  executions = 0;
  const once = await found(
    slow(() => {
      executions += 1;
      return executions === 300;
    }),
  );
  assert.equal(once.find, null);
  assert.equal(once.longTurns, 1);
});

test("fuzz: an input whose turn was too long is a find again when it is replayed alone, and others are not", async () => {
  const replay = (text: string): ReturnType<typeof runFuzz> =>
    runFuzz(
      slow((input) => input.equals(Buffer.from("a long turn"))),
      { seed: 1, isOver: () => false, inputs: [Buffer.from(text)] },
    );
  const again = await replay("a long turn");
  assert.match(again.find?.error ?? "", /One turn took/);
  assert.deepEqual(again.find?.inputs, [Buffer.from("a long turn")]);
  assert.equal((await replay("a short turn")).find, null);
});

test("fuzz: a seed makes the same inputs, another one others, and none longer than it may be", () => {
  const inputs = (seed: number): readonly string[] => {
    const mutator = new Mutator({ corpus: [Buffer.from("tide".repeat(10))], words: [Buffer.from("ebb")], inputBytesMax: 50 }, seed);
    return Array.from({ length: 500 }, () => mutator.next().toString("latin1"));
  };
  assert.deepEqual(inputs(1), inputs(1));
  assert.notDeepEqual(inputs(1), inputs(2));
  assert.ok(inputs(1).every(({ length }) => length <= 50));
});
