import assert from "node:assert/strict";
import { test } from "node:test";
import { createRouteTable, type AdminRoute } from "./route.ts";
import { answerJson } from "./status.ts";

const route = (pattern: string, change: Partial<AdminRoute> = {}): AdminRoute => ({
  method: "GET",
  pattern,
  auth: "token",
  accepts: [],
  meaning: "a thing",
  handle: async () => answerJson(200, {}),
  ...change,
});

test("a route that declares no auth ends the start", () => {
  const undeclared = { ...route("/x") };
  Reflect.deleteProperty(undeclared, "auth");
  assert.throws(() => createRouteTable([undeclared]), /GET \/x declares its auth/);
});

test("a route that stands twice in the table ends the start", () => {
  assert.throws(() => createRouteTable([route("/x"), route("/x")]), /declared once/);
});

const find = createRouteTable([route("/things"), route("/things/:name"), route("/things/:name", { method: "DELETE" })]);
const paths = [
  { path: "/things", found: "route" },
  { path: "/things/a-1.b", found: "route" },
  { path: "/things/", found: "nothing" },
  { path: "/things/../secret", found: "nothing" },
  { path: "/things/%2e%2e", found: "nothing" },
  { path: "//things", found: "nothing" },
  { path: "/Things", found: "nothing" },
  { path: "/things/a/b", found: "nothing" },
  { path: "/things#x", found: "nothing" },
];
for (const { path, found } of paths) {
  test(`route table: GET ${path} finds ${found}`, () => {
    assert.equal(find("GET", path).found, found);
  });
}

test("route table: a known path with an unknown method names the methods that it has", () => {
  assert.deepEqual(find("PATCH", "/things/a"), { found: "path", methods: ["GET", "DELETE"] });
});
