import { seeded } from "../failover/seeded.ts";

export interface Question {
  readonly name: string;
  readonly target: "/v1/chat/completions" | "/v1/completions";
  readonly body: object;
}

const WORDS = ["tide", "moon", "gate", "sand", "wave", "stone", "water", "call it", "arrows", "the sea comes in", "every night"];
const SCHEMA = {
  type: "object",
  required: ["places"],
  properties: { places: { type: "array", minItems: 2, items: { type: "string" } }, hour: { type: "integer" } },
};
const STOPS = [" marus.", "ab", ". ", "er", "zz", " and"];

/** Answers of all forms that go on: plain chats and completions, sampled ones, calls of tools, JSON, stop strings, with and without usage. */
export function drawQuestions(seed: number, count: number): readonly Question[] {
  const chance = seeded(seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(chance() * items.length)];
    if (item === undefined) throw new Error("A list of choices is empty.");
    return item;
  };
  return Array.from({ length: count }, (_, index) => {
    const text = `${pick(WORDS)} ${pick(WORDS)} ${index}`;
    const chat = { messages: [{ role: "user", content: text }] };
    const usage = chance() < 0.5 ? { stream_options: { include_usage: true } } : {};
    const limit = { max_tokens: 12 + Math.floor(chance() * 28), ignore_eos: chance() < 0.5 };
    const sampled = chance() < 0.3 ? { temperature: 0.9, seed: index } : {};
    const forms: readonly Question[] = [
      { name: "a chat", target: "/v1/chat/completions", body: { ...chat, ...limit, ...usage, ...sampled } },
      { name: "a completion", target: "/v1/completions", body: { prompt: text, ...limit, ...usage, ...sampled, min_tokens: 8 } },
      {
        name: "a chat with stop strings",
        target: "/v1/chat/completions",
        body: { ...chat, ...limit, ...usage, stop: [pick(STOPS), pick(STOPS)] },
      },
      {
        name: "a call of a tool",
        target: "/v1/chat/completions",
        body: {
          ...chat,
          ...usage,
          max_tokens: 48,
          tools: [{ type: "function", function: { name: "tide", parameters: SCHEMA } }],
          tool_choice: "required",
        },
      },
      {
        name: "an answer in JSON",
        target: "/v1/chat/completions",
        body: { ...chat, ...usage, max_tokens: 48, response_format: { type: "json_schema", json_schema: { name: "x", schema: SCHEMA } } },
      },
    ];
    const [plain = pick(forms)] = forms;
    return chance() < 0.4 ? plain : pick(forms);
  });
}
