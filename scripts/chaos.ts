// The long campaign of the controllers' chaos property: node scripts/chaos.ts [--runs 1000] [--seed 1]. A failing case prints how to replay it.
import { parseArgs } from "node:util";
import { CHAOS_CASES, checkChaos } from "../test/support/control-chaos.ts";

const { values } = parseArgs({ options: { runs: { type: "string", default: "1000" }, seed: { type: "string" } } });
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const batch = 50;
for (const chaos of CHAOS_CASES) {
  for (let done = 0; done < Number(values.runs); done += batch) {
    await checkChaos(chaos, { runs: Math.min(batch, Number(values.runs) - done), seed: seed + done });
    console.log(`${chaos.name}: ${Math.min(done + batch, Number(values.runs))} of ${values.runs} runs, seed ${seed + done}`);
  }
}
