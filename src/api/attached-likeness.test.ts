import { test } from "node:test";
import assert from "node:assert/strict";
import { generation, serviceName } from "../base/ids.ts";
import { likenessOf, unlikeness } from "./attached-likeness.ts";
import type { AttachedEvidence, AttachedStatus } from "./attached-status.ts";
import { attachedStatusJson, parseAttachedStatus } from "./parse-attached-status.ts";

const EVIDENCE: Extract<AttachedEvidence, { kind: "known" }> = {
  kind: "known",
  generation: generation(2),
  version: "0.11.0",
  root: "/models/tide",
  settings: "models tide=/models/tide",
  answer: "1,2,3",
};
const STATUS: AttachedStatus = {
  state: "Ready",
  generation: generation(2),
  service: serviceName("attached.tide"),
  models: ["tide", "law"],
  model: "tide",
  engine: "vllm",
  contextLength: 8_192,
  hasProgress: true,
  evidence: EVIDENCE,
  message: "",
};

test("attached engines are alike whatever order they list their models in", () => {
  const other = { ...STATUS, models: ["law", "tide"] };
  assert.equal(likenessOf(STATUS), likenessOf(other));
  assert.equal(unlikeness(STATUS, other), null);
});

const cases: readonly {
  readonly name: string;
  readonly other: Partial<AttachedStatus>;
  readonly why: string;
  readonly isKnown: boolean;
}[] = [
  { name: "version", other: { evidence: { ...EVIDENCE, version: "0.12.0" } }, why: "its version is 0.12.0, not 0.11.0", isKnown: true },
  { name: "answer", other: { evidence: { ...EVIDENCE, answer: "1,2,4" } }, why: "its known answer is another one", isKnown: true },
  { name: "context", other: { contextLength: 4_096 }, why: "its context length is 4096, not 8192", isKnown: true },
  { name: "kind", other: { engine: null }, why: "it is an OpenAI server of no kind that we know", isKnown: false },
  { name: "generation", other: { generation: generation(3) }, why: "it was not asked yet what it answers", isKnown: false },
  { name: "evidence", other: { evidence: null }, why: "it was not asked yet what it answers", isKnown: false },
];
for (const { name, other, why, isKnown } of cases) {
  test(`an attached engine of another ${name} is not alike, and it is said why`, () => {
    const changed = { ...STATUS, ...other };
    assert.notEqual(likenessOf(changed), likenessOf(STATUS));
    assert.deepEqual([likenessOf(changed) !== null, unlikeness(STATUS, changed)], [isKnown, why]);
  });
}

test("a stored status of an attached engine is read back, and one of an earlier version has no evidence", () => {
  const stored = attachedStatusJson(STATUS);
  assert.deepEqual(parseAttachedStatus(stored), { ok: true, value: STATUS });
  const { evidence: _evidence, ...earlier } = stored;
  assert.deepEqual(parseAttachedStatus(earlier), { ok: true, value: { ...STATUS, evidence: null } });
});
