import { err, ok, type Result } from "../base/result.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { likenessRequest } from "../wire/dialect.ts";
import { parseEngineSelf, selfTargets } from "../wire/engine-self.ts";
import { parseLikeness } from "../wire/parse-known-answer.ts";
import { parseModelList } from "../wire/parse-model-list.ts";
import { callEngine, type EnginePorts } from "./call-engine.ts";
import { explainProbe, get, readSleepState } from "./probe-instance.ts";

export interface Evidence {
  readonly version: string;
  readonly root: string;
  readonly settings: string;
  readonly answer: string;
}

/** Why nothing is known, for people. `isFinal`: asking again would be in vain. */
export interface NoEvidence {
  readonly code: "NO_EVIDENCE";
  readonly why: string;
  readonly isFinal: boolean;
}

const SELF_TIMEOUT_MS = 2_000;
/** A busy engine lets it wait behind others' prompts. */
const ANSWER_TIMEOUT_MS = 20_000;

/** Asks a running engine what it is, and for a known answer: one short completion, never of one that says that it sleeps. */
export async function askEvidence(
  ports: EnginePorts,
  of: { readonly address: EndpointAddress; readonly engine: EngineKind; readonly model: string },
  signal: AbortSignal,
): Promise<Result<Evidence, NoEvidence>> {
  const { address, engine } = of;
  const asleep = await readSleepState(ports, of, SELF_TIMEOUT_MS, signal);
  if (asleep.ok && asleep.value === true) return none("it sleeps", false);
  const ask = async (target: string): Promise<string | null> => {
    const answer = await get(ports, address, target, SELF_TIMEOUT_MS, signal);
    return answer.ok ? answer.value.text : null;
  };
  const firstOf = async (targets: readonly string[]): Promise<string | null> => {
    let text: string | null = null;
    for (const target of targets) text ??= await ask(target);
    return text;
  };
  const [list, ...answers] = await Promise.all([ask("/v1/models"), ...selfTargets(engine).map(firstOf)]);
  const models = list === null || list === undefined ? null : parseModelList(list);
  const { version, root, settings } = parseEngineSelf(engine, answers, models ?? []);
  if (models === null || version === null) return none("it does not tell its version", false);
  if (root === null) return none("it does not tell where its weights come from", false);
  const answer = await callEngine(ports, address, likenessRequest(engine, of.model), { timeoutMs: ANSWER_TIMEOUT_MS }, signal);
  if (!answer.ok) return none(`asked for a known answer, ${explainProbe(answer.error)}`, false);
  const { status, text } = answer.value;
  if (status !== 200) return none(`asked for a known answer, it answers ${status}`, status >= 400 && status < 500 && status !== 429);
  const likeness = parseLikeness(text);
  return likeness === null ? none("its known answer has no text", true) : ok({ version, root, settings, answer: likeness });
}

const none = (why: string, isFinal: boolean): Result<never, NoEvidence> => err({ code: "NO_EVIDENCE", why, isFinal });
