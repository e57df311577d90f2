import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { holderOfPort } from "../port-holder.ts";
import type { StateDir } from "./state-dir.ts";

/**
 * A free loopback port, chosen once for each state directory: a helper that outlived the last control plane is
 * adopted only when it was started with the same words.
 * @param isHeldByUs that helper runs, so nobody else can hold its port.
 */
export async function stablePort(name: string, state: StateDir, isHeldByUs: boolean): Promise<number> {
  const path = join(state.path, `port-${name}`);
  const known = readPort(path);
  const holder = known === null || isHeldByUs ? null : holderOfPort(known);
  if (known !== null && (holder === null || holder.command.includes(state.path))) return known;
  const chosen = await freePort();
  writeFileSync(path, `${chosen}\n`, { mode: 0o600 });
  return chosen;
}

function readPort(path: string): number | null {
  try {
    const port = Number(readFileSync(path, "utf8"));
    return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : null;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) return null;
    throw cause;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
