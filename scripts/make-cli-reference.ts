// Writes docs/reference/cli.md and docs/reference/admin-api.md: node scripts/make-cli-reference.ts
import { writeFileSync } from "node:fs";
import { renderAdminReference } from "../src/admin/render-reference.ts";
import { createAdminRig } from "../src/cmd/admin-rig.ts";
import { renderCliReference } from "../src/cmd/cli-reference.ts";

const reference = new URL("../docs/reference/", import.meta.url);
writeFileSync(new URL("cli.md", reference), renderCliReference());
writeFileSync(new URL("admin-api.md", reference), renderAdminReference(createAdminRig().admin.routes));
