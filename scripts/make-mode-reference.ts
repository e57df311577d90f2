// Writes docs/reference/partition-modes.md: node scripts/make-mode-reference.ts
import { writeFileSync } from "node:fs";
import { renderModeReference } from "../src/placement/render-mode-reference.ts";

writeFileSync(new URL("../docs/reference/partition-modes.md", import.meta.url), renderModeReference());
