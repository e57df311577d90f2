// npm test. Tests of rooms that start no process run together, in two processes at once: starting Node and compiling the same modules for each
// file costs several times what most of them do. Tests that start processes run apart, a process a file, two at a time.
import { spawn } from "node:child_process";
import { globSync, readdirSync } from "node:fs";

/** Rooms whose tests start processes, open sockets and files, or end the process that they run in. */
const APART: ReadonlySet<string> = new Set(["adapters", "cmd"]);
/** Whole worlds: three quarters of the time of all that runs together. */
const HEAVY = "src/simulator/";
const TOGETHER_RUNS = 2;

const FLAGS = ["--import", "./test/support/property-seed.ts", "--test", "--test-timeout=240000"];
const REPORTS = [
  "--test-reporter=spec",
  "--test-reporter-destination=stdout",
  "--test-reporter=./scripts/slow-tests.ts",
  "--test-reporter-destination=stderr",
];

const rooms = readdirSync("src", { withFileTypes: true }).filter((entry) => entry.isDirectory());
const testsIn = (folder: string): readonly string[] => globSync(`${folder}/**/*.test.ts`).toSorted();
const together = rooms.filter(({ name }) => !APART.has(name)).flatMap(({ name }) => testsIn(`src/${name}`));
const apart = [
  ...rooms.filter(({ name }) => APART.has(name)).flatMap(({ name }) => testsIn(`src/${name}`)),
  ...testsIn("test"),
  ...testsIn("bench"),
];

/** About equal work: the first takes all that is light, and a third of what is heavy. */
function halves(files: readonly string[]): readonly (readonly string[])[] {
  const heavy = files.filter((file) => file.startsWith(HEAVY));
  const isFirst = (file: string): boolean => !file.startsWith(HEAVY) || heavy.indexOf(file) % 3 === 0;
  return [files.filter(isFirst), files.filter((file) => !isFirst(file))];
}

/** @returns whether all passed. What it says is shown whole, so that two at once do not mix. */
function run(flags: readonly string[], files: readonly string[], isShown: Promise<unknown>): Promise<boolean> {
  const child = spawn(process.execPath, [...FLAGS, ...flags, ...REPORTS, ...files], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: "node_modules/.cache/node-compile" },
  });
  const said: { readonly to: NodeJS.WriteStream; readonly text: Buffer }[] = [];
  let isLive = false;
  const say = (to: NodeJS.WriteStream) => (text: Buffer) => (isLive ? void to.write(text) : void said.push({ to, text }));
  child.stdout.on("data", say(process.stdout));
  child.stderr.on("data", say(process.stderr));
  void isShown.then(() => {
    isLive = true;
    for (const { to, text } of said) to.write(text);
  });
  return new Promise((resolve) => child.on("close", (code) => void isShown.then(() => resolve(code === 0))));
}

const parts = halves(together);
if (parts.flat().length !== together.length || parts.length !== TOGETHER_RUNS)
  throw new Error("Broken assumption: every test file runs once.");
let before: Promise<unknown> = Promise.resolve();
const outcomes: Promise<boolean>[] = [];
for (const part of parts) {
  const outcome = run(["--test-isolation=none"], part, before);
  outcomes.push(outcome);
  before = outcome;
}
const areWell = [...(await Promise.all(outcomes)), await run(["--test-concurrency=2"], apart, before)];
if (!areWell.every(Boolean)) process.exitCode = 1;
