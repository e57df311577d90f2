import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCli, startCli } from "./cli-rig.ts";
import { parseLedger } from "./parse-ledger.ts";
import { loadArguments } from "./run-campaign.ts";

test("a campaign has one line a seed in its ledger, goes on after a cut line, and merges what both parts saw", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-campaign-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const ledger = join(folder, "ledger.jsonl");
  const campaign = (seeds: number, ...more: readonly string[]) =>
    runCli(["simulate", "--campaign", "--seeds", String(seeds), "--seconds", "3", "--resume", ledger, ...more]);

  const first = await campaign(3, "--shard", "1/2");
  assert.deepEqual([first.exitCode, parseLedger(readFileSync(ledger, "utf8")).map(({ seed }) => seed)], [0, [1, 3]], first.err);

  const line = readFileSync(ledger, "utf8").split("\n")[0] ?? "";
  appendFileSync(ledger, line.slice(0, 40));
  const all = await campaign(3);
  const entries = parseLedger(readFileSync(ledger, "utf8"));
  assert.deepEqual(
    entries.map(({ seed }) => seed),
    [1, 3, 2],
  );
  assert.match(all.err, /3 seeds of 3 virtual seconds, 2 of them in the ledger/);
  assert.match(all.out, /fault classes \(\d+, \d+ never seen\)/);
  assert.match(all.out, /3 of 3 seeds, .* 0 seeds with violations/);
  const events = entries.flatMap((entry) => Object.values(entry.events)).reduce((sum, count) => sum + count, 0);
  assert.ok(all.out.includes(`${events} events`) && events > 0, all.out);

  const again = await runCli(["simulate", "--campaign", "--seed", "3", "--seconds", "3", "--resume", join(folder, "other.jsonl")]);
  assert.equal(again.exitCode, 0, again.err);
  const [other] = parseLedger(readFileSync(join(folder, "other.jsonl"), "utf8"));
  assert.deepEqual(other, entries[1], "the same seed gives the same line");
});

test("a seed with faults of GPUs is another one than without, in the ledger and in what it draws", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-gpu-faults-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const ledger = join(folder, "ledger.jsonl");
  const campaign = (...more: readonly string[]) =>
    runCli(["simulate", "--campaign", "--seed", "73", "--seconds", "6", "--resume", ledger, ...more]);
  const [plain, faulty, again] = [await campaign(), await campaign("--gpu-faults"), await campaign("--gpu-faults")];
  assert.deepEqual([plain.exitCode, faulty.exitCode, again.exitCode], [0, 0, 0], faulty.err);
  assert.match(faulty.err, /1 seeds of 6 virtual seconds, 0 of them in the ledger/);
  assert.match(again.err, /1 seeds of 6 virtual seconds, 1 of them in the ledger/);
  const entries = parseLedger(readFileSync(ledger, "utf8"));
  assert.deepEqual(
    entries.map(({ hasGpuFaults, events }) => [hasGpuFaults, (events["xid-13"] ?? 0) > 0]),
    [
      [false, false],
      [true, true],
    ],
  );
  assert.match(faulty.out, /driver-slow/);
  assert.doesNotMatch(plain.out, /driver-slow/);
});

test("what replays a seed of a campaign says whether faults of GPUs were drawn", () => {
  const load = { loadMs: 60_000, requestsPerSecond: 1 };
  assert.equal(loadArguments({ ...load, hasGpuFaults: false }), "--seconds 60");
  assert.equal(loadArguments({ ...load, hasGpuFaults: true }), "--seconds 60 --gpu-faults");
});

test("two jobs run each seed once, and give the lines that one gives", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-jobs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const lines = await Promise.all(
    ["1", "2"].map(async (jobs) => {
      const ledger = join(folder, `${jobs}.jsonl`);
      const run = await runCli(["simulate", "--campaign", "--seeds", "4", "--seconds", "2", "--jobs", jobs, "--resume", ledger]);
      assert.deepEqual([run.exitCode, /4 of 4 seeds/.test(run.out)], [0, true], run.err);
      return parseLedger(readFileSync(ledger, "utf8")).toSorted((left, right) => left.seed - right.seed);
    }),
  );
  assert.equal(lines[0]?.length, 4);
  assert.deepEqual(lines[0], lines[1]);
});

test("Ctrl-C ends a campaign after the seeds that run, with their lines in the ledger", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-interrupt-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const ledger = join(folder, "ledger.jsonl");
  const run = startCli(["simulate", "--campaign", "--seeds", "100000", "--seconds", "2", "--jobs", "2", "--resume", ledger]);
  const interrupted = new Promise<void>((resolve) => {
    const looking = watch(folder, () => {
      if (!existsSync(ledger)) return;
      looking.close();
      run.child.kill("SIGINT");
      resolve();
    });
  });
  await interrupted;
  assert.equal(await run.exited, 0, run.err());
  const entries = parseLedger(readFileSync(ledger, "utf8"));
  assert.ok(entries.length > 0 && entries.length < 1_000, `${entries.length} seeds`);
  assert.match(run.err(), /Ends after the seeds that run/);
  assert.ok(run.out().includes(`${entries.length} of 100000 seeds`), run.out());
});
