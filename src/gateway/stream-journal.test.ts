import assert from "node:assert/strict";
import test from "node:test";
import { readChunkExtras } from "../wire/chunk-extras.ts";
import { idEngineOf } from "../wire/id-engine.ts";
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
  const from = journalOf(text("a", [10]), text("b", [11]), text("c", [12])).continuation();
  assert.deepEqual(
    [from?.promptIds?.toString(), from?.shownIds.toString(), from?.promptTokens, from?.shownTokens],
    ["1,2,3", "10,11,12", 3, 3],
  );
});

test("journal: half a character is left to the next engine", () => {
  const from = journalOf(text("a", [10]), text("", [240]), text("", [159])).continuation();
  assert.equal(from?.shownIds.toString(), "10");
  const whole = journalOf(text("a", [10]), text("", [240]), text("", [159, 152]), text("😀", [128])).continuation();
  assert.equal(whole?.shownIds.toString(), "10,240,159,152,128");
});

/** `10,11 again " x"`: the ids that another engine is given, and what it must make again. */
function wayOn(journal: StreamJournal): string {
  const from = journal.continuation();
  return from === null ? `${journal.gap}` : `${from.shownIds.toString()} (${from.shownTokens}) again "${from.overlap?.again ?? ""}"`;
}

test("journal: the last of several ids may be half a character: then the answer is taken up before them", () => {
  const journal = journalOf(text("a", [10]), text(" ", [11, 240]));
  assert.equal(wayOn(journal), '10 (1) again " "');
  take(journal, text("", [159]));
  take(journal, text("😀", [152, 128]));
  assert.equal(wayOn(journal), '10 (1) again " 😀"');
  take(journal, text("b", [12]));
  assert.equal(wayOn(journal), '10,11,240,159,152,128,12 (7) again ""');
});

test("journal: plain letters after several ids show that these were whole", () => {
  const journal = journalOf(text("a", [10]), text("😀", [11, 12]), text("bc", [13, 14]));
  assert.equal(wayOn(journal), '10,11,12 (3) again "bc"');
  take(journal, text("é", [15, 16]));
  assert.equal(wayOn(journal), '10,11,12 (3) again "bcé"');
});

test("journal: where no end of many chunks is known to be whole, the comparison with what was shown must tell", () => {
  const chunks = Array.from({ length: 40 }, (_, index) => text("é", [20 + index, 240]));
  const journal = journalOf(text("a", [10]), ...chunks);
  const from = journal.continuation();
  assert.ok(from?.overlap !== null && from !== null);
  const { again } = from.overlap;
  assert.ok(again.length >= 1 && again.length <= 32, `${again.length} characters are made again`);
  assert.equal(from.shownTokens, 1 + 2 * (40 - again.length));
});

test("journal: an engine that makes the end again and dies is followed by one that does the same", () => {
  const journal = journalOf(text("a", [10]), text("éé", [11, 12]));
  journal.rewind();
  take(journal, text("é", [11]), "é");
  assert.equal(wayOn(journal), '10,11 (2) again "é"');
  journal.rewind();
  take(journal, text("é", [12]), "é");
  assert.equal(wayOn(journal), '10,11,12 (3) again ""');
});

test("journal: of printable text the last character tells whether the ids end within one", () => {
  const printed = (said: string): string => {
    const journal = new StreamJournal(1_000, new JournalRoom(), { endsWhole: idEngineOf("sglang").endsWhole });
    for (const chunk of [ROLE, text("a", [10]), text(said, [11])]) take(journal, chunk);
    return wayOn(journal);
  };
  // " \xf0\x9f" is one token of many vocabularies.
  assert.equal(printed(" "), '10 (1) again " "');
  assert.equal(printed("你"), '10 (1) again "你"');
  assert.equal(printed(" b"), '10,11 (2) again ""');
  assert.equal(printed("."), '10,11 (2) again ""');
});

test("journal: a chunk that no other can be made of is a gap, and so is one that is none", () => {
  const journal = journalOf(text("a", [10]));
  const deep = "[".repeat(5_000) + "]".repeat(5_000);
  const chunk = `data: {"choices":[{"delta":{"content":"b"},"finish_reason":null,"token_ids":[11]}],"x":${deep}}\n\n`;
  const reading = readChunkExtras(Buffer.from(chunk), WISH);
  assert.ok(reading !== null);
  journal.take(reading);
  assert.equal(wayOn(journal), "unreadable");
  take(journal, text("c", [12]));
  assert.equal(wayOn(journal), '10,11,12 (3) again ""');
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
  take(journal, text("", [152]));
  take(journal, text("😀", [128]));
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
