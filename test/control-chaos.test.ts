import { test } from "node:test";
import assert from "node:assert/strict";
import { CHAOS_CASES, checkChaos } from "./support/control-chaos.ts";

for (const chaos of CHAOS_CASES)
  test(`whatever happened, when it stops the service is what its config asks for, with one engine an instance: ${chaos.name}`, async () => {
    await assert.doesNotReject(checkChaos(chaos, { runs: 12, seed: 20_261_126 }));
  });
