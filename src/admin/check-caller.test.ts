import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCaller } from "./check-caller.ts";

const loopback = { listening: { host: "127.0.0.1", port: 8081 }, names: ["tidegate.example"] };
const open = { listening: { host: "0.0.0.0", port: 8081 }, names: ["tidegate.example:443"] };

const hosts = [
  { name: "the address itself", policy: loopback, host: "127.0.0.1:8081", isOurs: true },
  { name: "localhost", policy: loopback, host: "localhost:8081", isOurs: true },
  { name: "localhost in capitals", policy: loopback, host: "LOCALHOST:8081", isOurs: true },
  { name: "IPv6 loopback", policy: loopback, host: "[::1]:8081", isOurs: true },
  { name: "a configured name", policy: loopback, host: "tidegate.example", isOurs: true },
  { name: "another port", policy: loopback, host: "127.0.0.1:8080", isOurs: false },
  { name: "no port, which is 80", policy: loopback, host: "127.0.0.1", isOurs: false },
  { name: "a name that was rebound to loopback", policy: loopback, host: "evil.example:8081", isOurs: false },
  { name: "localhost with a dot", policy: loopback, host: "localhost.:8081", isOurs: false },
  { name: "a name that begins like loopback", policy: loopback, host: "127.0.0.1.evil.example:8081", isOurs: false },
  { name: "a fragment after the port (CVE-2026-49468)", policy: loopback, host: "localhost:8081/#@evil.example", isOurs: false },
  { name: "userinfo", policy: loopback, host: "localhost:8081@evil.example", isOurs: false },
  { name: "an address of the network while on loopback", policy: loopback, host: "10.0.0.7:8081", isOurs: false },
  { name: "an empty host", policy: loopback, host: "", isOurs: false },
  { name: "an address literal beyond loopback", policy: open, host: "10.0.0.7:8081", isOurs: true },
  { name: "a foreign name beyond loopback", policy: open, host: "evil.example:8081", isOurs: false },
  { name: "a configured name with its port", policy: open, host: "tidegate.example:443", isOurs: true },
];
for (const { name, policy, host, isOurs } of hosts) {
  test(`admin host: ${name} is ${isOurs ? "ours" : "refused"}`, () => {
    assert.equal(checkCaller(["Host", host], policy)?.reason ?? null, isOurs ? null : "MisdirectedRequest");
  });
}

test("admin host: two Host headers, or none, are refused", () => {
  const one = ["Host", "127.0.0.1:8081"];
  assert.equal(checkCaller([...one, "host", "127.0.0.1:8081"], loopback)?.reason, "MisdirectedRequest");
  assert.equal(checkCaller([], loopback)?.reason, "MisdirectedRequest");
});

const origins = [
  { name: "our own page", origin: "http://127.0.0.1:8081", isOurs: true },
  { name: "our own page behind TLS", origin: "https://127.0.0.1:8081", isOurs: true },
  { name: "another port of this machine", origin: "http://127.0.0.1:3000", isOurs: false },
  { name: "our other name", origin: "http://localhost:8081", isOurs: false },
  { name: "a foreign page", origin: "https://evil.example", isOurs: false },
  { name: "a sandboxed page", origin: "null", isOurs: false },
];
for (const { name, origin, isOurs } of origins) {
  test(`admin origin: ${name} is ${isOurs ? "ours" : "refused"}`, () => {
    const refusal = checkCaller(["host", "127.0.0.1:8081", "Origin", origin], loopback);
    assert.equal(refusal?.reason ?? null, isOurs ? null : "Forbidden");
  });
}
