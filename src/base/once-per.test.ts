import assert from "node:assert/strict";
import { test } from "node:test";
import { oncePer } from "./once-per.ts";

test("what is made of an object is made once, of an equal one anew, and of one whose making failed again", () => {
  const made: string[] = [];
  const upper = oncePer(({ name }: { readonly name: string }) => {
    made.push(name);
    if (made.length === 3) throw new Error("not now");
    return name === "nothing" ? undefined : name.toUpperCase();
  });
  const [one, equal, nothing] = [{ name: "a" }, { name: "a" }, { name: "nothing" }];
  assert.deepEqual([upper(one), upper(one), upper(equal)], ["A", "A", "A"]);
  assert.throws(() => upper(nothing), /not now/);
  assert.deepEqual([upper(nothing), upper(nothing)], [undefined, undefined]);
  assert.deepEqual(made, ["a", "a", "nothing", "nothing"]);
});
