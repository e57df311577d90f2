// Plants each bug of mutants/ in a copy of the source and runs the seeds of CI against it: every one must be caught.
// node scripts/mutants.ts [--only NAME] [--seeds 1000] [--seconds 120] [--jobs 2] [--json FILE]
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

interface Caught {
  readonly name: string;
  /** null = no seed failed. */
  readonly by: { readonly seed: string; readonly violation: string } | null;
  readonly seconds: number;
}

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "1000" },
    seconds: { type: "string", default: "120" },
    jobs: { type: "string", default: "2" },
    json: { type: "string" },
  },
});
const root = resolve(import.meta.dirname, "..");
const names = readdirSync(join(root, "mutants"))
  .filter((file) => file.endsWith(".patch") && (values.only === undefined || file.includes(values.only)))
  .toSorted();
if (names.length === 0) {
  console.error(`No mutant's name contains ${values.only ?? ""}: see mutants/.`);
  process.exit(2);
}
const running = new Set<ReturnType<typeof spawn>>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    for (const child of running) child.kill("SIGKILL");
    process.exit(1);
  });
}

function plant(name: string): string {
  const copy = mkdtempSync(join(tmpdir(), "tidegate-mutant-"));
  for (const part of ["src", "bin", "package.json"]) cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const patched = spawnSync("git", ["apply", "--unidiff-zero", join(root, "mutants", name)], { cwd: copy, encoding: "utf8" });
  if (patched.status !== 0) throw new Error(`mutants/${name} does not apply: make it anew for the code as it is.\n${patched.stderr}`);
  return copy;
}

function campaign(copy: string): Promise<string> {
  const args = ["bin/tidegate.js", "simulate", "--campaign", "--first-failure", "--seeds", values.seeds, "--seconds", values.seconds];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let said = "";
  child.stdout.on("data", (text: Buffer) => (said += text.toString()));
  let complained = "";
  child.stderr.on("data", (text: Buffer) => (complained = (complained + text.toString()).slice(-4_000)));
  return new Promise((done) => {
    child.on("close", (code) => {
      running.delete(child);
      // An assertion that ends the world is a catch too.
      const isCrash = code !== 0 && !/^seed \d+: /m.test(said);
      done(
        isCrash
          ? `seed ?: ended by ${
              complained
                .trim()
                .split("\n")
                .findLast((line) => /Error|assumption/.test(line)) ?? "itself"
            }`
          : said,
      );
    });
  });
}

async function catchOne(name: string): Promise<Caught> {
  const startedMs = performance.now();
  const copy = plant(name);
  try {
    const found = /^seed (\d+|\?): (.*)$/m.exec(await campaign(copy));
    const by = found === null ? null : { seed: found[1] ?? "?", violation: found[2] ?? "" };
    return { name: name.replace(/\.patch$/, ""), by, seconds: (performance.now() - startedMs) / 1_000 };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const caught: Caught[] = [];
const waiting = [...names];
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const one = await catchOne(name);
      caught.push(one);
      const said = one.by === null ? "NOT CAUGHT" : `seed ${one.by.seed}: ${one.by.violation}`;
      console.log(`${one.name.padEnd(34)} ${one.seconds.toFixed(0).padStart(4)} s  ${said}`);
    }
  }),
);
const count = caught.filter(({ by }) => by !== null).length;
console.log(`\n${count} of ${names.length} planted mutants are caught by ${values.seeds} seeds of ${values.seconds} virtual seconds.`);
if (values.json !== undefined) {
  const row = { name: "planted mutants caught", value: count, unit: "mutants", must: `= ${names.length}`, pass: count === names.length };
  writeFileSync(values.json, `${JSON.stringify({ rows: [row], caught }, null, 2)}\n`);
}
process.exit(count === names.length ? 0 : 1);
