import { createSystemClock } from "../adapters/clock/system.ts";
import { openSqliteStore } from "../adapters/cluster-store/sqlite.ts";
import { createSystemRandom } from "../adapters/random/system.ts";
import type { UpOptions } from "./options.ts";
import { readManifests } from "./read-manifests.ts";
import { listenForEnd } from "./up/end-signals.ts";
import { explainStore } from "./up/refusals.ts";
import { openStateDir } from "./up/state-dir.ts";
import { openTerminal } from "./up/terminal.ts";

/** The embedded platform: everything on this machine, until a signal ends it. @returns the exit code. */
export async function runUp(options: UpOptions): Promise<number> {
  const clock = createSystemClock();
  const random = createSystemRandom();
  const terminal = openTerminal(clock);
  const end = listenForEnd(clock);
  terminal.progress(`Starting, state in ${options.dataDir}`);
  const state = openStateDir(options.dataDir, random);
  if (!state.ok) return terminal.refuse(state.error);
  const files = readManifests(options.paths);
  if (!files.ok) return terminal.refuse(files.error);
  // The store opens in its own thread while the rest of the program is read: after a crash every moment counts.
  const opening = openSqliteStore(state.value.database, clock);
  const { runPlatform } = await import("./up/run-platform.ts");
  const opened = await opening;
  if (!opened.ok) return terminal.refuse(explainStore(opened.error));
  try {
    return await runPlatform({ options, state: state.value, store: opened.value, files: files.value, terminal, end, clock, random });
  } finally {
    await opened.value.close();
    end.stop();
  }
}
