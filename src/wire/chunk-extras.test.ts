import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { readChunkExtras } from "./chunk-extras.ts";

const ALL = { takesIds: true, takesUsage: true };
const event = (json: string): Buffer => Buffer.from(`data: ${json}\n\n`);
const readOf = (json: string, wish = ALL) => {
  const reading = readChunkExtras(event(json), wish);
  return reading === null
    ? null
    : { ...reading, shown: reading.shown?.toString("utf8"), ids: reading.ids?.toString(), promptIds: reading.promptIds?.toString() };
};

const cases: readonly { readonly name: string; readonly json: string; readonly expected: object | null }[] = [
  {
    name: "ids and an empty usage are taken out",
    json: '{"choices":[{"delta":{"content":"a"},"finish_reason":null,"token_ids":[12,345]}],"usage":null}',
    expected: { shown: 'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n', ids: "12,345", isShowing: true },
  },
  {
    name: "ids in front lose the comma behind them",
    json: '{"choices":[{"token_ids":[1],"text":"b"}]}',
    expected: { shown: 'data: {"choices":[{"text":"b"}]}\n\n', ids: "1" },
  },
  {
    name: "the prompt's ids ride on the role",
    json: '{"choices":[{"delta":{"role":"assistant","content":""}}],"prompt_token_ids": [7,8]}',
    expected: { shown: 'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n', promptIds: "7,8", isShowing: false },
  },
  {
    name: "ids that are not there are taken out too",
    json: '{"choices":[{"text":"c","token_ids":null}]}',
    expected: { shown: 'data: {"choices":[{"text":"c"}]}\n\n', ids: undefined },
  },
  {
    name: "half a character is nothing to show",
    json: '{"choices":[{"delta":{"content":""},"finish_reason":null,"token_ids":[9]}]}',
    expected: { shown: undefined, ids: "9", isShowing: false },
  },
  {
    name: "a key that an answer speaks of is text",
    json: '{"choices":[{"delta":{"content":"\\"token_ids\\":[1],\\"usage\\":null"},"token_ids":[5]}]}',
    expected: { shown: 'data: {"choices":[{"delta":{"content":"\\"token_ids\\":[1],\\"usage\\":null"}}]}\n\n', ids: "5" },
  },
  {
    name: "reasoning is its engine's own",
    json: '{"choices":[{"delta":{"reasoning_content":"hm"},"token_ids":[5]}]}',
    expected: { isParsed: true },
  },
  { name: "ids that are none are refused", json: '{"choices":[{"text":"x","token_ids":[1,"\\u0000"]}]}', expected: null },
  ...["[1,,2]", "[,1]", "[1,]", "[ ]", "[,]", "[1 2]", "[007]", "[12345678901]", "[1,2"].map((ids) => ({
    name: `${ids} is no list of ids`,
    json: `{"choices":[{"text":"x","token_ids":${ids}}]}`,
    expected: ids === "[ ]" ? { ids: undefined } : null,
  })),
  {
    name: "ids are counted, those of the prompt too",
    json: '{"choices":[{"text":"x","token_ids":[0, 12 ,3]}],"prompt_token_ids":[7,8]}',
    expected: { idCount: 3, promptCount: 2 },
  },
  {
    name: "of two lists all are counted",
    json: '{"choices":[{"text":"x","token_ids":[1]},{"token_ids":[2,3]}]}',
    expected: { ids: "1,2,3", idCount: 3, promptCount: 0 },
  },
  {
    name: "usage of the whole stands alone",
    json: '{"choices":[],"usage":{"prompt_tokens":3}}',
    expected: { tellsUsage: true },
  },
  {
    name: "usage so far does not",
    json: '{"choices":[{"text":"x"}],"usage":{"prompt_tokens":3}}',
    expected: { tellsUsage: false },
  },
  {
    name: "of a writer that puts spaces all is read and taken out too",
    json: '{"id": "c", "choices": [{"index": 0, "delta": {"content": "a b"}, "finish_reason": null, "token_ids": [5, 6]}], "usage": null}',
    expected: {
      shown: 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a b"},"finish_reason":null}]}\n\n',
      ids: "5,6",
      isShowing: true,
    },
  },
  {
    name: "spaces in places do no harm",
    json: '{"choices":[{ "text":"b" , "token_ids":[1] }], "usage":null}',
    expected: { shown: 'data: {"choices":[{ "text":"b"  }]}\n\n', ids: "1", isShowing: true },
  },
  { name: "what is spaced and no JSON is refused", json: '{ "choices": [', expected: null },
  { name: "ids without an end are refused", json: '{"choices":[{"text":"x","token_ids":[1,2', expected: null },
];
for (const { name, json, expected } of cases) {
  test(`chunk extras: ${name}`, () => {
    const reading = readOf(json);
    if (expected === null) return assert.equal(reading, null);
    assert.ok(reading !== null);
    const read = new Map<string, unknown>(Object.entries(reading));
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(read.get(key), value, key);
  });
}

test("chunk extras: what nobody asked for stays as it came, byte for byte", () => {
  const json = '{"choices":[{"text":"a","token_ids":[1]}],"usage":null}';
  assert.equal(readOf(json, { takesIds: false, takesUsage: false })?.shown, `data: ${json}\n\n`);
});

test("chunk extras: whatever an answer says, its client reads what a chunk without ids would have said", () => {
  const ids = fc.array(fc.nat(200_000), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), ids, fc.boolean(), (text, tokenIds, isChat) => {
      const said = isChat ? { delta: { content: text } } : { text };
      const plain = { id: "x", choices: [{ index: 0, ...said, finish_reason: null }] };
      const asked = { ...plain, choices: [{ ...plain.choices[0], token_ids: tokenIds }], usage: null };
      const reading = readOf(JSON.stringify(asked));
      assert.equal(reading?.shown, `data: ${JSON.stringify(plain)}\n\n`);
      assert.equal(reading?.ids, tokenIds.join());
    }),
  );
});
