// Writes docs/reference/fields.md: node scripts/make-field-reference.ts
import { writeFileSync } from "node:fs";
import { renderFieldReference } from "../src/api/render-field-reference.ts";

writeFileSync(new URL("../docs/reference/fields.md", import.meta.url), renderFieldReference());
