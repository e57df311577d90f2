import assert from "node:assert/strict";
import test from "node:test";
import { readChunkExtras } from "../wire/chunk-extras.ts";
import { SGLANG_OWN } from "../wire/own-sglang.ts";
import type { ClientRequest } from "./client-request.ts";
import { JournalRoom } from "./journal-room.ts";
import { JournalKeeper } from "./journal-keeper.ts";
import { ShownJournal } from "./shown-journal.ts";
import { StreamJournal, type JournalOf } from "./stream-journal.ts";

const ROLE = { choices: [{ delta: { role: "assistant", content: "" }, finish_reason: null }] };
const PROMPT = { prompt_token_ids: [1, 2] };
const said = (delta: object, ids: readonly number[] | null): object => ({ choices: [{ delta, finish_reason: null, token_ids: ids }] });

/** What is kept of such chunks. */
function kept(chunks: readonly object[], of: JournalOf = {}): { readonly kind: string; readonly bytes: number; readonly chunks: number } {
  const room = new JournalRoom();
  const request: Pick<ClientRequest, "journal"> = { journal: new StreamJournal(10_000, room, of) };
  const keeper = new JournalKeeper(request, request.journal, room);
  for (const chunk of chunks) {
    const reading = readChunkExtras(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`), { takesIds: true, takesUsage: true });
    assert.ok(reading !== null);
    keeper.take(reading);
  }
  const { journal } = request;
  assert.ok(journal !== null);
  const best = journal.kind === "ids" ? journal.best : journal;
  const count = best.kind === "chunks" ? best.chunks.length : 0;
  const { bytes } = room;
  journal.close();
  assert.equal(room.bytes, 0, "all of it is given back");
  return { kind: best.kind, bytes, chunks: count };
}

const text = said({ content: "a" }, [3]);
const OWN: JournalOf = { own: SGLANG_OWN };
const cases: readonly {
  readonly name: string;
  readonly chunks: readonly object[];
  readonly of?: JournalOf;
  readonly expected: readonly [string, number];
}[] = [
  { name: "text with ids is kept by them", chunks: [{ ...ROLE, ...PROMPT }, text, text], expected: ["ids", 0] },
  {
    name: "reasoning that comes first is kept by its chunks",
    chunks: [{ ...ROLE, ...PROMPT }, said({ reasoning: "h" }, [3]), text],
    expected: ["chunks", 2],
  },
  {
    name: "an own surface that tells no ids is kept by its chunks",
    chunks: [said({ content: "a" }, null), text],
    of: OWN,
    expected: ["chunks", 2],
  },
  { name: "so is one that does not tell the prompt", chunks: [text, text], of: OWN, expected: ["chunks", 2] },
  { name: "unless nobody needs it", chunks: [text, text], of: { ...OWN, isPromptTold: false }, expected: ["ids", 0] },
  {
    name: "of an engine that names ids none is a fault, and is told as one",
    chunks: [ROLE, said({ content: "a" }, null)],
    expected: ["ids", 0],
  },
];
for (const { name, chunks, of, expected } of cases) {
  test(`journal keeper: ${name}`, () => {
    const { kind, chunks: count } = kept(chunks, of);
    assert.deepEqual([kind, count], expected);
  });
}

test("journal keeper: where ids have a gap later, the spare chunks are there from the beginning", () => {
  const chunks = [ROLE, text, said({ content: "b" }, null), text];
  const spare = (): ShownJournal => new ShownJournal(10_000, new JournalRoom());
  assert.deepEqual(kept(chunks, { isPromptTold: false, spare: spare() }).chunks, 4);
  assert.deepEqual(kept(chunks, { isPromptTold: false }).kind, "ids");
  const small = new ShownJournal(10, new JournalRoom());
  assert.deepEqual(kept(chunks, { isPromptTold: false, spare: small }).kind, "ids", "a spare that is not whole is none");
});
