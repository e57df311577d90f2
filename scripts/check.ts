// Every static check, one after another, each with its time. Exit 1 at the end when one failed.
import { spawnSync } from "node:child_process";

const stages: readonly { readonly name: string; readonly command: readonly string[] }[] = [
  { name: "types", command: ["tsc", "--noEmit", "-p", "."] },
  { name: "lint and rooms", command: ["oxlint", "--disable-nested-config"] },
  { name: "format", command: ["oxfmt", "--check", "src", "test", "scripts", "bench", "bin"] },
  { name: "unused files, exports and packages", command: ["knip", "--no-progress"] },
];

let failedCount = 0;
for (const stage of stages) {
  const [program = "", ...rest] = stage.command;
  const startedAt = performance.now();
  const run = spawnSync(program, rest, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const hasPassed = run.status === 0;
  console.log(`${hasPassed ? "ok  " : "FAIL"} ${stage.name} (${seconds} s)`);
  if (!hasPassed) {
    failedCount += 1;
    console.log(run.error === undefined ? run.stdout + run.stderr : `${program} does not run: ${run.error.message}. Run npm ci first.`);
  }
}
process.exitCode = failedCount === 0 ? 0 : 1;
