import type { Bench } from "./bench.ts";
import { SERVICES_PATH } from "./platform-status.ts";

/** Changes the live configuration by the admin API, as an operator would. */
export async function setMirror(bench: Bench, tenant: string, percent: number): Promise<void> {
  const url = `http://127.0.0.1:${bench.platform.adminPort}${SERVICES_PATH}/${tenant}`;
  for (let tries = 0; tries < 20; tries += 1) {
    const stored = (await (await fetch(url)).json()) as { readonly spec: { readonly traffic: object } };
    const body = JSON.stringify({ ...stored, spec: { ...stored.spec, traffic: { ...stored.spec.traffic, mirrorPercent: percent } } });
    const answer = await fetch(url, { method: "PUT", headers: { "content-type": "application/json" }, body });
    if (answer.ok) return;
    if (answer.status !== 409) throw new Error(`The mirror cannot be set: ${answer.status} ${await answer.text()}`);
  }
  throw new Error("The mirror cannot be set: the resource changed at each of 20 tries.");
}
