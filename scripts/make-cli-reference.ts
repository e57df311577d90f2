// Writes docs/reference/cli.md, admin-api.md and gateway.md: node scripts/make-cli-reference.ts
import { writeFileSync } from "node:fs";
import { renderAdminReference } from "../src/admin/render-reference.ts";
import { createAdminRig } from "../src/cmd/admin-rig.ts";
import { renderCliReference } from "../src/cmd/cli-reference.ts";
import { renderGatewayReference } from "../src/cmd/gateway-reference.ts";

const reference = new URL("../docs/reference/", import.meta.url);
writeFileSync(new URL("cli.md", reference), renderCliReference());
writeFileSync(new URL("admin-api.md", reference), renderAdminReference(createAdminRig().admin.routes));
writeFileSync(new URL("gateway.md", reference), renderGatewayReference());
