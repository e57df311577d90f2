// Every property on fresh cases: node scripts/properties.ts [--rounds 10]. A failing case prints its seed and path.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "10" } } });
const files = globSync(["src/**/*.test.ts", "test/**/*.test.ts"]).filter((file) => readFileSync(file, "utf8").includes('"fast-check"'));
const rounds = Number(values.rounds);
for (let round = 1; round <= rounds; round += 1) {
  const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=2", "--test-reporter=dot", ...files], { stdio: "inherit" });
  console.log(`round ${round} of ${rounds}: ${status === 0 ? "holds" : "fails"} (${files.length} files)`);
  if (status !== 0) process.exit(1);
}
