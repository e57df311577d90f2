import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EndpointAddress } from "../../api/route-table.ts";
import type { StateDir } from "./state-dir.ts";

/** Tells the other commands where this control plane is, while it runs. */
export function recordControlPlane(state: StateDir, admin: EndpointAddress): Disposable {
  const record = join(state.runFolder, "control-plane.json");
  writeFileSync(record, `${JSON.stringify({ name: "control-plane", pid: process.pid })}\n`, { mode: 0o600 });
  writeFileSync(state.adminFile, `${JSON.stringify({ host: admin.host, port: admin.port })}\n`, { mode: 0o600 });
  return {
    [Symbol.dispose]() {
      rmSync(record, { force: true });
      rmSync(state.adminFile, { force: true });
    },
  };
}
