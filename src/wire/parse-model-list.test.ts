import { test } from "node:test";
import assert from "node:assert/strict";
import { parseModelList } from "./parse-model-list.ts";

const cases = [
  {
    name: "a vLLM list gives names and context lengths",
    body: { data: [{ id: "tide-8b", max_model_len: 8192 }, { id: "tide-8b-law" }] },
    expected: [
      { id: "tide-8b", contextLength: 8192, root: null },
      { id: "tide-8b-law", contextLength: null, root: null },
    ],
  },
  {
    name: "a model list tells where weights come from",
    body: {
      data: [
        { id: "tide", root: "/models/tide", max_model_len: 8 },
        { id: "law", root: "" },
      ],
    },
    expected: [
      { id: "tide", contextLength: 8, root: "/models/tide" },
      { id: "law", contextLength: null, root: null },
    ],
  },
  {
    name: "a llama.cpp list gives the trained context",
    body: { data: [{ id: "m.gguf", meta: { n_ctx_train: 4096 } }] },
    expected: [{ id: "m.gguf", contextLength: 4096, root: null }],
  },
  {
    name: "entries without a usable name are left out of a model list",
    body: { data: [{ id: 7 }, "x", { id: "a" }] },
    expected: [{ id: "a", contextLength: null, root: null }],
  },
  { name: "a model list without any name is none", body: { data: [{ id: "" }] }, expected: null },
  { name: "an object without data is no model list", body: { models: [] }, expected: null },
  {
    name: "a negative context length counts as untold",
    body: { data: [{ id: "a", max_model_len: -1 }] },
    expected: [{ id: "a", contextLength: null, root: null }],
  },
];
for (const c of cases) test(c.name, () => assert.deepEqual(parseModelList(JSON.stringify(c.body)), c.expected));

test("a body that is no JSON is no model list", () => assert.equal(parseModelList("<html>"), null));
