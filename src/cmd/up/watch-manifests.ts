import type { Apply, ApplyRefusal } from "../../admin/apply.ts";
import { parseManifests } from "../../api/parse-manifests.ts";
import { formatProblem } from "../../api/problem.ts";
import type { ManifestFile } from "../../api/read-yaml.ts";
import type { ResourceDraft } from "../../api/resource.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { AppliedManifests } from "./applied-manifests.ts";
import { formatExplanation } from "../explain.ts";
import { readManifests } from "../read-manifests.ts";

type Named = Pick<ResourceDraft, "kind" | "name">;

const LOOK_EVERY_MS = 500;

export interface ManifestWatch {
  stop(): void;
}

/** The lines that say why nothing was applied. */
export function formatRefusal(refusal: ApplyRefusal): string {
  switch (refusal.code) {
    case "PROBLEMS":
      return refusal.problems.map(formatProblem).join("\n");
    case "BAD_BODY":
    case "OUTDATED":
    case "DERIVED":
      return refusal.message;
    case "STORE":
      return `The store refused: ${refusal.error.code}.`;
  }
}

/**
 * Looks at the files every half second (an editor's rename defeats file events) and applies them as a whole when a byte changed.
 * What cannot be read or is wrong changes nothing: the last good configuration keeps serving. A document that vanishes from the files
 * is deleted with them; what was applied otherwise is left alone.
 */
export function watchManifests(
  paths: readonly string[],
  first: readonly ManifestFile[],
  ports: {
    readonly apply: Apply;
    readonly applied: AppliedManifests;
    readonly clock: Clock;
    readonly isForced: boolean;
    say(text: string): void;
  },
): ManifestWatch {
  const state = { files: first, text: textOf(first), isEnded: false };
  let timer: Timer = ports.clock.after(LOOK_EVERY_MS, look);
  function look(): void {
    void reload(paths, state, ports).finally(() => {
      if (!state.isEnded) timer = ports.clock.after(LOOK_EVERY_MS, look);
    });
  }
  return {
    stop() {
      state.isEnded = true;
      timer.cancel();
    },
  };
}

interface WatchState {
  text: string;
  /** As they were applied last. */
  files: readonly ManifestFile[];
}

async function reload(paths: readonly string[], state: WatchState, ports: Parameters<typeof watchManifests>[2]): Promise<void> {
  const read = readManifests(paths);
  const text = read.ok ? textOf(read.value) : formatExplanation(read.error);
  if (text === state.text) return;
  state.text = text;
  if (!read.ok) return ports.say(`${text}\nNothing was changed; the last good configuration keeps serving.`);
  const applied = await ports.apply.files(read.value, { isDryRun: false, isForced: ports.isForced });
  if (!applied.ok) return ports.say(`${formatRefusal(applied.error)}\nNothing was changed; the last good configuration keeps serving.`);
  ports.applied.remember(read.value);
  const named = namesOf(read.value);
  const vanished = namesOf(state.files).filter((old) => !named.some((now) => now.kind === old.kind && now.name === old.name));
  for (const { kind, name } of vanished) await ports.apply.remove(kind, name);
  state.files = read.value;
  const changes = applied.value.results
    .filter((result) => result.action !== "unchanged")
    .map((result) => `${result.kind} ${result.name} ${result.action}`);
  const said = [...changes, ...vanished.map(({ kind, name }) => `${kind} ${name} deleted`)];
  if (said.length > 0) ports.say(`Manifests changed: ${said.join(", ")}.`);
}

const textOf = (files: readonly ManifestFile[]): string => files.map((file) => `${file.path}\n${file.text}`).join("\n");
const namesOf = (files: readonly ManifestFile[]): readonly Named[] =>
  parseManifests(files).drafts.map(({ kind, name }) => ({ kind, name }));
