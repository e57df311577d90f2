import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAttachedEngine, parseAttachedUrl } from "./parse-attached-engine.ts";

const accepted: readonly (readonly [string, string, number])[] = [
  ["http://127.0.0.1:8000", "127.0.0.1", 8_000],
  ["http://localhost:8000/", "127.0.0.1", 8_000],
  ["http://127.1:8000/v1", "127.0.0.1", 8_000],
  ["http://0x7f.1:8000/v1/", "127.0.0.1", 8_000],
  ["http://[::1]:8000", "::1", 8_000],
  ["http://127.0.0.1", "127.0.0.1", 80],
];
for (const [url, host, port] of accepted) {
  test(`${url} is an address of this machine`, () => assert.deepEqual(parseAttachedUrl(url, []), { ok: true, value: { host, port } }));
}

const refused = [
  "https://127.0.0.1:8000",
  "file:///etc/passwd",
  "http://user:secret@127.0.0.1:8000",
  "http://127.0.0.1:8000/other",
  "http://127.0.0.1:8000/?x=1",
  "http://0.0.0.0:8000",
  "http://0:8000",
  "http://169.254.169.254",
  "http://[fe80::1]:8000",
  "http://[::ffff:127.0.0.1]:8000",
  "http://[64:ff9b::7f00:1]:8000",
  "http://[fd00:ec2::254]",
  "http://224.0.0.1",
  "http://[::]:8000",
  "http://localhost.:8000",
  "http://10.0.0.5:8000",
  "http://127.0.0.1.nip.io:8000",
  "not a url",
  "",
];
for (const url of refused) {
  test(`"${url}" is refused as an address of an engine`, () => {
    const read = parseAttachedUrl(url, ["169.254.169.254", "0.0.0.0"]);
    assert.ok(!read.ok);
    assert.doesNotMatch(JSON.stringify(read.error), /secret/);
  });
}

test("another machine is an address when its host is allowed letter by letter", () => {
  const read = parseAttachedEngine({ name: "e1", spec: { url: "http://10.0.0.5:8000", allowedHosts: ["10.0.0.5"] } });
  assert.ok(read.ok);
  assert.deepEqual(read.value.address, { host: "10.0.0.5", port: 8_000 });
});

test("an attached engine with a bad name and a bad URL is told both", () => {
  const read = parseAttachedEngine({ name: "E 1", spec: { url: "http://10.0.0.5:8000" } });
  assert.ok(!read.ok);
  assert.deepEqual(
    read.error.map(({ code }) => code),
    ["INVALID_NAME", "FORBIDDEN_ADDRESS"],
  );
});
