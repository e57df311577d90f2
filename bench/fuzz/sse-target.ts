import assert from "node:assert/strict";
import { JournalRoom } from "../../src/gateway/journal-room.ts";
import { ContinuedRelay } from "../../src/gateway/relay-continued.ts";
import { RestartedRelay } from "../../src/gateway/relay-restarted.ts";
import { StreamRelay } from "../../src/gateway/relay-stream.ts";
import type { Relay } from "../../src/gateway/relay.ts";
import { ShownJournal } from "../../src/gateway/shown-journal.ts";
import { StreamJournal } from "../../src/gateway/stream-journal.ts";
import { idEngineOf } from "../../src/wire/id-engine.ts";
import { ShownTail } from "../../src/gateway/shown-tail.ts";
import { readChunkExtras } from "../../src/wire/chunk-extras.ts";
import { seeded } from "../failover/seeded.ts";
import { Choices, type OpenTarget } from "./fuzz-target.ts";

const JOURNAL_BYTES_MAX = 65_536;
/** Passed on as it is; with usage taken out; with ids kept, and both; made again and compared; gone on with, without and with stop strings. */
const KINDS = 7;
const STOPS = { strings: ["e \u00e9", "stop"], areShown: false };

/** What a relay told, with what a client can see put together. */
interface Told {
  readonly shown: string;
  readonly ends: readonly string[];
  readonly begins: number;
  readonly tokens: number;
  /** What another engine would be told. */
  readonly kept: string;
}

interface Watched {
  readonly relay: Relay;
  readonly kept: () => string;
}

const chunk = (more: object, choice: object): string =>
  `data: ${JSON.stringify({ id: "c-1", object: "chat.completion.chunk", created: 7, model: "m", choices: [{ index: 0, ...choice }], ...more })}\n\n`;
const text = (content: string, id: number): string => chunk({}, { delta: { content }, finish_reason: null, token_ids: [id] });
const STREAM = [
  chunk({ prompt_token_ids: [1, 2, 3] }, { delta: { role: "assistant", content: "" }, finish_reason: null }),
  text("Tide ", 11),
  text('é"token_ids":[9]\\ ', 12),
  text("🌊", 13),
  chunk({}, { delta: {}, finish_reason: "stop", token_ids: [14] }),
  `data: ${JSON.stringify({ id: "c-1", choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } })}\n\n`,
  "data: [DONE]\n\n",
].join("");
const COMPLETION = STREAM.replaceAll('"delta":{"content":', '"text":').replaceAll(/("text":"[^}]*")\}/g, "$1");
const CALL = chunk({}, { delta: { tool_calls: [{ index: 0, function: { name: "f", arguments: '{"a":' } }] }, finish_reason: null });

/** Nested deeper than anybody could write it again. */
const deepened = (told: string): string => told.replace("}\n\n", `,"x":${"[".repeat(5_000)}${"]".repeat(5_000)}}\n\n`);

/** A stream of chunks tells the same however its bytes are cut. */
export const openSseTarget: OpenTarget = async (watch) => ({
  corpus: corpus(),
  words: [
    "data: ",
    "\n\n",
    "\r\n\r\n",
    "\r\r",
    ": comment\n\n",
    "event: x\n",
    "data: [DONE]\n\n",
    '"token_ids":[1,2]',
    '"token_ids":null',
    '"prompt_token_ids":[1]',
    '"usage":null',
    '"usage": {"prompt_tokens":1}',
    '"finish_reason":"abort"',
    '"error":{"message":"m"}',
    '"content":""',
    "\uFEFF",
    "é",
    text("more", 5),
    CALL,
    deepened(text("deep", 6)),
    text("two", 7).replace("[7]", "[7,8]"),
  ].map((word) => Buffer.from(word)),
  inputBytesMax: 16_384,
  lanes: 1,
  run: (input) => {
    const choices = new Choices(input);
    const kind = choices.below(KINDS);
    const chance = seeded(choices.byte() * 256 + choices.byte());
    const stream = choices.bytes(input.length);
    const whole = watch.time(() => tell(kind, [stream]));
    const single = Array.from({ length: stream.length }, (_, at) => stream.subarray(at, at + 1));
    for (const parts of [single, cutUp(stream, chance)]) assert.deepEqual(tell(kind, parts), whole);
    assert.ok(whole.ends.length === 1, "a stream ends once");
    assert.ok(whole.begins <= 1, "a stream begins once");
    // What asks for nothing is passed on as it is, up to a whole event.
    if (kind === 0) assert.ok(linesOf(stream).startsWith(whole.shown), "bytes are passed on unchanged");
    if (whole.ends[0]?.startsWith("done") === true) assert.match(whole.shown, /(?:^|\n)data: ?\[DONE\](?:\n[^\n]+)*\n\n$/);
  },
  close: async () => undefined,
});

function corpus(): Buffer[] {
  const streams = [
    STREAM,
    STREAM.replaceAll("\n", "\r\n"),
    STREAM.replaceAll("\n", "\r"),
    `: wait\n\n${STREAM}`,
    COMPLETION,
    `${CALL}${STREAM}`,
    `${STREAM.slice(0, STREAM.indexOf("\n\n") + 2)}${deepened(text("deep", 6))}`,
    STREAM.replaceAll(/"token_ids":\[(\d+)\]\}/g, '"token_ids":[$1,9]}'),
  ];
  return streams.flatMap((stream) =>
    Array.from({ length: KINDS }, (_, kind) => kind).map((kind) => Buffer.concat([Buffer.from([kind, 1, 2]), Buffer.from(stream)])),
  );
}

function cutUp(stream: Buffer, chance: () => number): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < stream.length;) {
    const to = from + 1 + Math.floor(chance() * 40);
    parts.push(stream.subarray(from, to));
    from = to;
  }
  return parts;
}

function tell(kind: number, parts: readonly Buffer[]): Told {
  const told = { shown: [] as Uint8Array[], ends: [] as string[], begins: 0, tokens: 0 };
  const end = (how: string): void => {
    told.ends.push(how);
  };
  const sink: ConstructorParameters<typeof ContinuedRelay>[0] = {
    begin: () => (told.begins += 1),
    progressed: () => (told.tokens += 1),
    wrote: (given) => told.shown.push(given),
    done: (tokens) => end(`done ${JSON.stringify(tokens)}`),
    cut: (tokens) => end(`cut ${JSON.stringify(tokens)}`),
    refused: (error) => end(`refused ${error.code}`),
    unusable: (failure) => end(`unusable ${failure.code}`),
  };
  const { relay, kept } = relayOf(kind, sink);
  // Lent bytes are changed as soon as they are taken back.
  for (const part of parts) {
    const lent = Buffer.from(part);
    relay.data(lent);
    lent.fill(0x21);
  }
  relay.end();
  return { ...told, shown: linesOf(Buffer.concat(told.shown)), kept: kept() };
}

/** Any line end as one byte, and more than one blank line as one: of CR LF the second byte may be told before the next event, or not at all. */
const linesOf = (bytes: Buffer): string =>
  bytes
    .toString("latin1")
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/\n{3,}/g, "\n\n");

function relayOf(kind: number, sink: ConstructorParameters<typeof ContinuedRelay>[0]): Watched {
  const room = new JournalRoom();
  if (kind === 0) return { relay: new StreamRelay(sink, { takesIds: false, takesUsage: false }, null), kept: () => "" };
  const shown = new ShownJournal(JOURNAL_BYTES_MAX, room);
  if (kind === 1) {
    const kept = (): string => linesOf(Buffer.concat([...shown.chunks])).trim();
    return { relay: new StreamRelay(sink, { takesIds: false, takesUsage: true }, shown), kept };
  }
  const stops = kind === 6 ? STOPS : null;
  const { heldBack } = idEngineOf("vllm");
  const tail = stops === null || heldBack === null ? null : new ShownTail(stops, heldBack);
  const journal = new StreamJournal(JOURNAL_BYTES_MAX, room, { tail });
  const kept = (): string => {
    const from = journal.continuation();
    if (from === null) return `${journal.gap}`;
    const next = from.form.text({ text: "next", finish: null, stopReason: undefined });
    return `${from.promptIds?.toString()} ${from.shownIds.toString()} ${from.overlap?.again} ${journal.hasFinish} ${next.toString("latin1")}`;
  };
  if (kind <= 3) return { relay: new StreamRelay(sink, { takesIds: true, takesUsage: kind === 2 }, journal), kept };
  const first = Buffer.from(chunk({ prompt_token_ids: [1] }, { delta: { content: "Tide " }, finish_reason: null, token_ids: [11] }));
  const reading = readChunkExtras(first, { takesIds: true, takesUsage: true });
  if (reading === null) throw new Error("The first chunk is none.");
  if (kind === 4) {
    shown.take(reading);
    return { relay: new RestartedRelay(sink, { journal: shown, includesUsage: true }), kept: () => "" };
  }
  journal.take(reading);
  const from = journal.continuation();
  if (from === null) throw new Error("The first chunk cannot be continued.");
  return { relay: new ContinuedRelay(sink, { from, journal, includesUsage: true, stops }), kept };
}
