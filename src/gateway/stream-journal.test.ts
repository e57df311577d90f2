import assert from "node:assert/strict";
import test from "node:test";
import { readChunkExtras } from "../wire/chunk-extras.ts";
import { JournalRoom } from "./journal-room.ts";
import { ShownJournal } from "./shown-journal.ts";
import { ShownTail } from "./shown-tail.ts";
import { StreamJournal } from "./stream-journal.ts";

const WISH = { takesIds: true, takesUsage: true };

/** @param told by an engine that makes again what was shown: nothing of it is shown. */
function take(journal: StreamJournal, chunk: object, told: string | null = null): void {
  const reading = readChunkExtras(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`), WISH);
  assert.ok(reading !== null);
  journal.take(told === null ? reading : { ...reading, shown: null }, told);
}
const text = (said: string, ids: readonly number[] | null, finish: string | null = null): object => ({
  choices: [{ delta: { content: said }, finish_reason: finish, token_ids: ids }],
});
const ROLE = { choices: [{ delta: { role: "assistant", content: "" }, finish_reason: null }], prompt_token_ids: [1, 2, 3] };

function journalOf(...chunks: readonly object[]): StreamJournal {
  const journal = new StreamJournal(1_000, new JournalRoom());
  for (const chunk of [ROLE, ...chunks]) take(journal, chunk);
  return journal;
}

test("journal: ids of what was shown follow those of the prompt", () => {
  const from = journalOf(text("a", [10]), text("bc", [11, 12])).continuation();
  assert.deepEqual(
    [from?.promptIds?.toString(), from?.shownIds.toString(), from?.promptTokens, from?.shownTokens],
    ["1,2,3", "10,11,12", 3, 3],
  );
});

test("journal: half a character is left to the next engine", () => {
  const from = journalOf(text("a", [10]), text("", [240]), text("", [159])).continuation();
  assert.equal(from?.shownIds.toString(), "10");
  const whole = journalOf(text("a", [10]), text("", [240]), text("", [159]), text("😀", [152, 128])).continuation();
  assert.equal(whole?.shownIds.toString(), "10,240,159,152,128");
});

test("journal: text without ids is a gap, and so is a prompt without them", () => {
  assert.equal(journalOf(text("a", [1]), text("b", null)).gap, "no-ids");
  const journal = new StreamJournal(1_000, new JournalRoom());
  take(journal, text("a", [1]));
  assert.deepEqual([journal.gap, journal.continuation()], ["no-ids", null]);
});

test("journal: it holds so many bytes and no more, and gives them back", () => {
  const room = new JournalRoom(5_000);
  const journal = new StreamJournal(2_000, room);
  take(journal, ROLE);
  for (let index = 0; index < 100; index += 1) take(journal, text("a", [100_000]));
  assert.ok(room.bytes >= 700 && room.bytes <= 2_000, `${room.bytes} bytes`);
  for (let index = 0; index < 1_000; index += 1) take(journal, text("a", [100_000]));
  assert.deepEqual([journal.gap, journal.continuation(), room.bytes], ["too-long", null, 0]);
});

test("journal: where all journals together have no room, it keeps nothing", () => {
  const room = new JournalRoom(300);
  const [first, second] = [new StreamJournal(1_000, room), new ShownJournal(1_000, room)];
  for (const chunk of [ROLE, text("a", [1])]) take(first, chunk);
  second.take({ shown: Buffer.alloc(100), hasFinish: false });
  assert.deepEqual([first.gap, second.isTooLong, second.chunks.length], [null, true, 0]);
  first.close();
  first.close();
  assert.equal(room.bytes, 0);
});

test("journal: with the reason of the end the client has everything", () => {
  const journal = journalOf(text("a", [10]), text("", [2], "stop"));
  assert.deepEqual([journal.hasFinish, journal.continuation()?.shownTokens], [true, 2]);
});

test("journal: what the next engine makes again stands in it once", () => {
  const journal = journalOf(text("a", [10]), text("", [240]));
  journal.rewind();
  take(journal, text("", [240]));
  take(journal, text("", [159]));
  take(journal, text("😀", [152, 128]));
  assert.equal(journal.continuation()?.shownIds.toString(), "10,240,159,152,128");
});

const HELD = { strings: ["abcd"], areShown: false } as const;
const heldJournal = (...chunks: readonly object[]): StreamJournal => {
  const journal = new StreamJournal(1_000, new JournalRoom(), { tail: new ShownTail(HELD, (longest) => longest - 1) });
  for (const chunk of [ROLE, ...chunks]) take(journal, chunk);
  return journal;
};

test("journal: of tokens whose text is held back for a stop string none is counted, and half a token is made again", () => {
  // The engine has said "one", "two", "three"; three characters are held back.
  const from = heldJournal(text("", [10]), text("one", [11]), text("twoth", [12])).continuation();
  assert.deepEqual([from?.shownIds.toString(), from?.overlap], ["10,11", { before: "two", again: "th" }]);
  const unsure = heldJournal(text("", [10]), text("on", [11])).continuation();
  assert.deepEqual([unsure?.shownIds.toString(), unsure?.overlap], ["", { before: "", again: "on" }]);
});

test("journal: characters of many bytes count as one each", () => {
  const from = heldJournal(text("", [10]), text("😀", [11]), text("😀😀😀", [12])).continuation();
  assert.deepEqual([from?.shownIds.toString(), from?.overlap], ["10,11", { before: "😀😀😀", again: "" }]);
});

test("journal: an engine that makes the half token again and dies is followed by one that does the same", () => {
  const journal = heldJournal(text("", [10]), text("one", [11]), text("twoth", [12]));
  journal.rewind();
  take(journal, text("t", [12]), "t");
  assert.deepEqual([journal.continuation()?.shownIds.toString(), journal.continuation()?.overlap?.again], ["10,11", "th"]);
});

test("journal: with the reason of the end nothing is held back any more", () => {
  const journal = heldJournal(text("", [10]), text("one", [11]), text("two", [12], "length"));
  assert.deepEqual([journal.continuation()?.shownTokens, journal.continuation()?.overlap], [3, null]);
});
