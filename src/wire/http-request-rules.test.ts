import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { HEADERS_MAX, checkRequestHead } from "./http-request-rules.ts";

interface Case {
  readonly name: string;
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  readonly headers?: readonly string[];
  readonly code: string | null;
}

const cases: readonly Case[] = [
  { name: "a plain head may pass", headers: ["Host", "127.0.0.1:8080", "Content-Length", "5"], code: null },
  {
    name: "a head with a host name, an address in brackets or an upgrade may pass",
    headers: ["host", "[::1]:8080", "Upgrade", "h2c"],
    code: null,
  },
  { name: "an HTTP/1.0 head without Host may pass", version: "1.0", headers: [], code: null },
  { name: "a path is compared as sent, so dots and double slashes may pass", target: "//admin/../%2e%2e/x?a=b", code: null },
  { name: "a GET that states an empty body may pass", method: "GET", headers: ["host", "a", "content-length", "0"], code: null },
  { name: "an HTTP/1.1 head without Host is refused", headers: [], code: "missing_host" },
  { name: "a head without a version is refused", version: "0.9", code: "unsupported_version" },
  { name: "a coding other than chunked is refused", headers: ["Host", "a", "Transfer-Encoding", "identity"], code: "invalid_framing" },
  {
    name: "a coding after chunked is refused",
    headers: ["Host", "a", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"],
    code: "invalid_framing",
  },
  { name: "chunks in a POST may pass", headers: ["Host", "a", "Transfer-Encoding", "Chunked"], code: null },
  { name: "a second Host is refused, even an equal one", headers: ["Host", "a", "hOST", "a"], code: "duplicate_host" },
  { name: "a Host with userinfo is refused", headers: ["Host", "user@a"], code: "invalid_host" },
  { name: "a Host with a fragment is refused", headers: ["Host", "localhost:4000/#@attacker"], code: "invalid_host" },
  { name: "an empty Host is refused", headers: ["Host", ""], code: "invalid_host" },
  { name: "a Host with a word for a port is refused", headers: ["Host", "a:http"], code: "invalid_host" },
  { name: "the absolute form of a target is refused", target: "http://other/v1/models", code: "invalid_target" },
  { name: "the asterisk form of a target is refused", method: "OPTIONS", target: "*", code: "invalid_target" },
  { name: "a target with a fragment is refused", target: "/v1/models#x", code: "invalid_target" },
  { name: "an empty target is refused", target: "", code: "invalid_target" },
  { name: "chunks in HTTP/1.0 are refused", version: "1.0", headers: ["Transfer-Encoding", "chunked"], code: "invalid_framing" },
  { name: "a GET with a length is refused", method: "GET", headers: ["Host", "a", "Content-Length", "3"], code: "unexpected_body" },
  { name: "a HEAD with chunks is refused", method: "HEAD", headers: ["Transfer-Encoding", "chunked"], code: "unexpected_body" },
  { name: "a header named __proto__ is refused in any case", headers: ["__PROTO__", "x"], code: "invalid_header" },
  {
    name: "as many headers as allowed may pass",
    headers: ["Host", "a", ...Array.from({ length: 2 * HEADERS_MAX - 2 }, () => "x")],
    code: null,
  },
  { name: "one header too many is refused", headers: Array.from({ length: 2 * HEADERS_MAX + 2 }, () => "x"), code: "too_many_headers" },
];
for (const { name, method = "POST", target = "/v1/models", version = "1.1", headers = ["Host", "a"], code } of cases) {
  test(name, () => {
    const refused = checkRequestHead(method, target, version, headers);
    assert.equal(refused?.code ?? null, code);
    if (refused !== null) assert.equal(refused.status, code === "too_many_headers" ? 431 : 400);
  });
}

test("a head check gives an answer for any text", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.constantFrom("1.0", "1.1"), fc.array(fc.string()), (method, target, version, headers) => {
      const refused = checkRequestHead(method, target, version, headers);
      assert.ok(refused === null || refused.message.length > 0);
      if (!target.startsWith("/") || target.includes("#")) assert.notEqual(refused, null);
    }),
  );
});
