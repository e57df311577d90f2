import { parseAttachedEngine } from "../../api/parse-attached-engine.ts";
import { err, ok, type Explanation, type Result } from "../../base/result.ts";
import type { ClusterStore } from "../../ports/cluster-store.ts";
import type { Attachment } from "../options.ts";

/** Makes the stored attached engines those of the command line: what was attached before and is not named now is let go. */
export async function attachEngines(attachments: readonly Attachment[], store: ClusterStore): Promise<Result<null, Explanation>> {
  const drafts = attachments.map(({ name, url }) => ({
    kind: "AttachedEngine" as const,
    name,
    labels: {},
    annotations: {},
    spec: { url, allowedHosts: [URL.parse(url)?.hostname ?? ""] },
  }));
  for (const draft of drafts) {
    const parsed = parseAttachedEngine(draft);
    const [problem] = parsed.ok ? [] : parsed.error;
    if (problem !== undefined) return err({ what: `--attach ${draft.name}: ${problem.what}`, why: problem.why, next: problem.next });
  }
  const stored = await store.list("AttachedEngine");
  if (!stored.ok) return err(unreadable);
  const before = new Map(stored.value.items.map((item) => [item.name, item]));
  const changes = [
    ...drafts.map((draft) => ({ verb: "put" as const, draft, version: before.get(draft.name)?.version ?? null })),
    ...stored.value.items
      .filter((item) => !drafts.some((draft) => draft.name === item.name))
      .map((item) => ({ verb: "remove" as const, kind: item.kind, name: item.name })),
  ];
  const applied = changes.length === 0 ? null : await store.applyAll(changes);
  return applied === null || applied.ok ? ok(null) : err(unreadable);
}

const unreadable: Explanation = {
  what: "The attached engines could not be stored.",
  why: "The state file did not answer.",
  next: "Run tidegate doctor.",
};
