import type { AttachedStatus } from "./attached-status.ts";

type Known = Pick<AttachedStatus, "generation" | "models" | "model" | "engine" | "contextLength" | "evidence">;

/** One thing that must be equal for two engines to make the same tokens. */
interface Trait {
  readonly name: string;
  readonly value: string;
}

/**
 * All that can be seen from outside and decides which tokens an attached engine makes.
 * @returns a text for what is missing where something is not known, or was asked before it was last gone.
 */
function traitsOf({ generation, models, model, engine, contextLength, evidence }: Known): readonly Trait[] | string {
  if (engine === null) return "it is an OpenAI server of no kind that we know";
  if (model === null || contextLength === null) return "it does not tell its model's context length";
  if (evidence === null || evidence.generation !== generation) return "it was not asked yet what it answers";
  if (evidence.kind === "unknown") return evidence.why;
  return [
    { name: "kind", value: engine },
    { name: "version", value: evidence.version },
    { name: "model", value: model },
    { name: "weights", value: evidence.root },
    { name: "settings", value: evidence.settings },
    { name: "context length", value: `${contextLength}` },
    { name: "list of models", value: [...models].toSorted().join(", ") },
    { name: "known answer", value: evidence.answer },
  ];
}

/**
 * Equal texts, equal tokens, as far as can be seen from outside: kind, version, model, weights, settings, context length, adapters and
 * the answer to one greedy question. null = something of it is not known, so it is like nobody.
 */
export function likenessOf(status: Known): string | null {
  const traits = traitsOf(status);
  return typeof traits === "string" ? null : JSON.stringify(traits.map(({ value }) => value));
}

/** Why streams of one do not go on at the other, for people: what is not known of one of them, or what differs; null = they do, where both are Ready. */
export function unlikeness(one: Known, other: Known): string | null {
  const [traits, others] = [traitsOf(one), traitsOf(other)];
  if (typeof traits === "string") return traits;
  if (typeof others === "string") return others;
  const differing = traits.find((trait, index) => trait.value !== others[index]?.value);
  if (differing === undefined) return null;
  const theirs = others.find(({ name }) => name === differing.name)?.value;
  return differing.name === "known answer"
    ? "its known answer is another one"
    : `its ${differing.name} is ${theirs}, not ${differing.value}`;
}
