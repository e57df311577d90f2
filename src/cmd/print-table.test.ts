import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTable, plainCell } from "./print-table.ts";

const rows = [
  [plainCell("a"), { text: "Ready", tone: "good" }, plainCell("")],
  [plainCell("longer"), { text: "Failed", tone: "bad" }, plainCell("why")],
] as const;

test("a table aligns its columns and ends no line in blanks", () => {
  const text = formatTable(["NAME", "STATE", "MESSAGE"], rows, { isColoured: false });
  assert.equal(text, "NAME    STATE   MESSAGE\na       Ready\nlonger  Failed  why");
});

test("colours change no width", () => {
  const coloured = formatTable(["NAME", "STATE", "MESSAGE"], rows, { isColoured: true });
  const escape = String.fromCharCode(27);
  assert.ok(coloured.includes(`${escape}[32mReady${escape}[0m`));
  const plain = coloured.replaceAll(`${escape}[32m`, "").replaceAll(`${escape}[31m`, "").replaceAll(`${escape}[0m`, "");
  assert.deepEqual(
    plain.split("\n").map((line) => line.trimEnd()),
    formatTable(["NAME", "STATE", "MESSAGE"], rows, { isColoured: false }).split("\n"),
  );
});

test("a table cell cannot steer the terminal", () => {
  const text = formatTable(["MESSAGE"], [[plainCell("\u001b]0;title\u0007\r\nnext\u009b31m")]], { isColoured: false });
  assert.equal(text, "MESSAGE\n?]0;title???next?31m");
});
