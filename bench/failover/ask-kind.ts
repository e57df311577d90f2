/** What a request asks for beside plain text: each goes on in its own way when its engine dies. */
export type AskKind = "plain" | "tool" | "json" | "choices" | "logprobs";

export const ASK_KINDS: readonly AskKind[] = ["plain", "tool", "json", "choices", "logprobs"];

/** Of every answer but plain text, whose tokens have one reference for all lengths. */
export const KIND_ANSWER_TOKENS = 96;

/** Long enough that it is never complete before its tokens end. */
const SCHEMA = {
  type: "object",
  required: ["places"],
  properties: {
    places: {
      type: "array",
      minItems: 40,
      items: {
        type: "object",
        required: ["name", "hour"],
        properties: { name: { type: "string" }, hour: { type: "integer" } },
      },
    },
  },
};

const FIELDS: Readonly<Record<AskKind, object>> = {
  plain: {},
  tool: {
    tools: [{ type: "function", function: { name: "note_tides", description: "Notes tides.", parameters: SCHEMA } }],
    tool_choice: "required",
  },
  json: { response_format: { type: "json_schema", json_schema: { name: "tides", schema: SCHEMA } } },
  choices: { n: 2 },
  logprobs: { logprobs: true },
};

/** What the body of a chat has more for it. */
export const fieldsOf = (kind: AskKind): object => FIELDS[kind];
