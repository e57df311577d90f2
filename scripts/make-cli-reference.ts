// Writes docs/reference/cli.md: node scripts/make-cli-reference.ts
import { writeFileSync } from "node:fs";
import { renderCliReference } from "../src/cmd/cli-reference.ts";

writeFileSync(new URL("../docs/reference/cli.md", import.meta.url), renderCliReference());
