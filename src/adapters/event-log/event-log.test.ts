import { mkdtemp, readFile, rm, stat, watch } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { wallMs } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { createFileEventLog } from "./file.ts";
import { createMemoryEventLog } from "./memory.ts";
import { renderEvent } from "./render-event.ts";

// With every character that a viewer may take for an order.
const anyCharacter = fc.integer({ min: 0, max: 0x2_070 }).map((code) => String.fromCodePoint(code));

test("an event is one printable line of JSON that reads back, whatever its values hold", () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter }), (text) => {
      const line = renderEvent({ level: "info", event: "test", fields: { text, level: "forged" } }, wallMs(0));
      assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029]/u);
      const back: unknown = JSON.parse(line);
      assert.deepEqual(back, { at: "1970-01-01T00:00:00.000Z", level: "info", event: "test", text });
    }),
    { numRuns: 50 },
  );
});

test("an event larger than a line is cut and says so", () => {
  const line = renderEvent({ level: "warn", event: "test", fields: { text: "x".repeat(100_000) } }, wallMs(0));
  assert.ok(line.length < 20_000);
  assert.match(line, /"event":"test","truncated":/);
});

test("a memory log keeps the newest events in order", () => {
  const log = createMemoryEventLog(2);
  for (const event of ["a", "b", "c"]) log.record({ level: "info", event, fields: { n: 1 } });
  assert.equal(log.text(), '{"level":"info","event":"b","n":1}\n{"level":"info","event":"c","n":1}\n');
});

test("the hash of a memory log tells equal histories, kept or not, from any other", () => {
  const hashOf = (eventsMax: number, ...given: readonly JsonObject[]): string => {
    const log = createMemoryEventLog(eventsMax);
    for (const fields of given) log.record({ level: "info", event: "test", fields });
    return log.hash();
  };
  const history = [
    { n: 1, at: 0.5 },
    { n: 2, list: ["a", null, true], inner: { text: "tide" }, absent: undefined },
  ] as const;
  assert.match(hashOf(10, ...history), /^[0-9a-f]{16}$/);
  assert.equal(hashOf(0, ...history), hashOf(10, ...history));
  const others: readonly (readonly JsonObject[])[] = [
    [],
    [{ n: 1, at: 0.5 }],
    [history[1], history[0]],
    [{ n: 1, at: 0.25 }, history[1]],
    [{ n: 1, at: "0.5" }, history[1]],
    [{ n: 2 ** 32 + 1, at: 0.5 }, history[1]],
    [{ m: 1, at: 0.5 }, history[1]],
    [history[0], { n: 2, list: ["a", null, false], inner: { text: "tide" } }],
    [history[0], { n: 2, list: ["a", null], inner: { text: "tide" } }],
    [history[0], { n: 2, list: ["a", null, true, { text: "tide" }] }],
  ];
  assert.equal(new Set([history, ...others].map((one) => hashOf(10, ...one))).size, 1 + others.length);
});

test("a file log appends lines with mode 0600 and rotates once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-log-"));
  const path = join(folder, "events.log");
  const changes = watch(folder);
  const log = createFileEventLog(path, 200);
  for (let index = 0; index < 4; index += 1) log.record({ level: "info", event: "test", fields: { index } });
  // While it is rotated there is no such file for a moment.
  const written = (): Promise<string> =>
    readFile(path, "utf8").catch((cause: Error & { code?: unknown }) => (cause.code === "ENOENT" ? "" : assert.fail(cause)));
  for await (const { filename } of changes) if (filename === "events.log" && (await written()).includes('"index":3')) break;
  const text = `${await readFile(`${path}.1`, "utf8")}${await readFile(path, "utf8")}`;
  assert.deepEqual(
    text
      .trimEnd()
      .split("\n")
      .map((line) => Number(/"index":(\d)/.exec(line)?.[1])),
    [0, 1, 2, 3],
  );
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await rm(folder, { recursive: true });
});
