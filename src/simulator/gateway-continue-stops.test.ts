import assert from "node:assert/strict";
import test from "node:test";
import { engineName, sameForAll, startStreamRig } from "./stream-rig.ts";

const TARGET = "/v1/chat/completions";
const asked = (more: object): object => ({
  messages: [{ role: "user", content: "arrows" }],
  max_tokens: 40,
  ignore_eos: true,
  stream_options: { include_usage: true },
  ...more,
});

async function undisturbed(body: object): Promise<string> {
  const world = await startStreamRig(1);
  const client = world.ask(body, undefined, TARGET);
  await world.untilEnded(client);
  assert.ok(client.text.endsWith("data: [DONE]\n\n"));
  return client.text;
}

const textOf = (answer: string): string =>
  [...answer.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map((match) => String(JSON.parse(match[1] ?? '""'))).join("");

/** Kills the answer's engine at every step that it makes of it, shown or not. @returns how many streams moved. */
async function killAtEveryStep(body: object, whole: string): Promise<number> {
  let moved = 0;
  for (let waitMs = 4; waitMs < 1_000; waitMs += 8) {
    const world = await startStreamRig(1);
    const client = world.ask(body, undefined, TARGET);
    await world.rig.clock.advance(waitMs);
    if (client.endedAt !== null) return moved;
    world.killServer(client);
    await world.untilEnded(client);
    assert.equal(sameForAll(client.text), sameForAll(whole), `killed after ${waitMs} ms`);
    const open = [1, 2, 3].map((port) => world.network.openBetween("gateway", engineName(port)));
    assert.deepEqual(open, [0, 0, 0], "no engine goes on");
    if (/how="ids"\} 1\n/.test(world.rig.gateway.metricsText())) moved += 1;
  }
  return moved;
}

const CHARACTER = /[\u0100-\uffff]/u;
const places: readonly { readonly name: string; readonly pick: (said: string) => readonly string[] }[] = [
  { name: "one character", pick: (said) => [said.slice(70, 71)] },
  { name: "a few characters of several tokens", pick: (said) => [said.slice(70, 83)] },
  { name: "a sentence", pick: (said) => [said.slice(60, 100)] },
  { name: "a character of many bytes", pick: (said) => [said.slice(said.search(CHARACTER) - 2, said.search(CHARACTER) + 3)] },
  { name: "what begins in one another", pick: (said) => [said.slice(72, 90), said.slice(66, 78), "never said"] },
  { name: "what nobody says, and is long", pick: () => ["never said ".repeat(6)] },
  { name: "what is almost said", pick: (said) => [`${said.slice(40, 60)}~`, said.slice(90, 94)] },
];

for (const isShown of [false, true]) {
  for (const { name, pick } of places) {
    test(`continue: a stop string, ${name}, ${isShown ? "and told" : "not told"}: whenever the engine dies, its client gets the same bytes`, async () => {
      const said = textOf(await undisturbed(asked({})));
      const body = asked({ stop: pick(said), include_stop_str_in_output: isShown });
      const whole = await undisturbed(body);
      assert.match(whole, name.startsWith("what nobody says") ? /"finish_reason":"length"/ : /"finish_reason":"stop"/);
      const moved = await killAtEveryStep(body, whole);
      assert.ok(moved >= 5, `${moved} streams went on by ids`);
    });
  }
}

test("continue: a stop string is found wherever it is cut, when a second engine dies soon after the first", async () => {
  const said = textOf(await undisturbed(asked({})));
  for (const isShown of [false, true]) {
    const body = asked({ stop: said.slice(64, 90), include_stop_str_in_output: isShown });
    const whole = await undisturbed(body);
    for (let firstMs = 20; firstMs < 160; firstMs += 24) {
      for (const secondMs of [12, 20, 28, 52]) {
        const world = await startStreamRig(1);
        const client = world.ask(body, undefined, TARGET);
        for (const waitMs of [firstMs, secondMs]) {
          await world.rig.clock.advance(waitMs);
          if (client.endedAt === null && client.firstByteAt !== null) world.killServer(client);
        }
        await world.untilEnded(client);
        assert.equal(sameForAll(client.text), sameForAll(whole), `killed after ${firstMs} and ${secondMs} ms`);
      }
    }
  }
});

test("continue: a stop string ends nothing within the least tokens that are asked for, wherever the engine dies there", async () => {
  const said = textOf(await undisturbed(asked({})));
  for (const [first, second] of [
    [said.slice(20, 24), said.slice(100, 104)],
    [said.slice(30, 43), said.slice(100, 110)],
    [said.slice(52, 90), said.slice(110, 113)],
  ] as const) {
    for (const minTokens of [12, 16, 20, 24]) {
      const body = asked({ stop: [first, second], min_tokens: minTokens });
      const whole = await undisturbed(body);
      const moved = await killAtEveryStep(body, whole);
      assert.ok(moved >= 3, `${moved} streams went on by ids`);
    }
  }
});
