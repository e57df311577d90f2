import assert from "node:assert/strict";
import { test } from "node:test";
import type { GatewayMemory, GatewaySnapshot } from "../../ports/gateway-memory.ts";
import { createHandedMemory } from "./handed-memory.ts";

const snapshot = (stateId: string): GatewaySnapshot => ({ stateId, tables: [], keys: [] });

function file(): { readonly written: string[]; readonly memory: GatewayMemory } {
  const written: string[] = [];
  const save = async ({ stateId }: GatewaySnapshot): Promise<boolean> => {
    written.push(stateId);
    return stateId !== "full disk";
  };
  return { written, memory: { load: async () => snapshot("loaded"), save } };
}

test("only the owner of a gateway's file writes it, and only what it wrote counts as kept for it", async () => {
  const { written, memory } = file();
  const successor = createHandedMemory(memory, false);
  assert.deepEqual([await successor.load(), successor.wasFound], [snapshot("loaded"), true]);
  assert.equal(await successor.save(snapshot("a")), true);
  assert.deepEqual(written, []);
  successor.own();
  assert.equal(await successor.save(snapshot("b")), true);
  assert.equal(await successor.save(snapshot("full disk")), false);
  assert.deepEqual(written, ["b", "full disk"]);
});

test("while a file changes hands its old owner's saves wait: the newest is written when it stays, none when it was given", async () => {
  const stays = file();
  const keeper = createHandedMemory(stays.memory, true);
  keeper.hold();
  let isSaved = false;
  const waiting = [keeper.save(snapshot("a")), keeper.save(snapshot("b"))];
  void Promise.all(waiting).then(() => (isSaved = true));
  await Promise.resolve();
  assert.equal(isSaved, false);
  keeper.own();
  assert.deepEqual([await Promise.all(waiting), stays.written], [[true, true], ["b"]]);

  const given = file();
  const giver = createHandedMemory(given.memory, true);
  giver.hold();
  const last = giver.save(snapshot("a"));
  giver.give();
  assert.deepEqual([await last, await giver.save(snapshot("b")), given.written], [true, true, []]);
});
