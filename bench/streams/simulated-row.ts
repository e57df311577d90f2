import { atLeast, atMost, type RowResult } from "../failover/report.ts";
import type { Progress } from "../failover/progress.ts";
import { engineName, sameForAll, startStreamRig, type StreamRig } from "../../src/simulator/stream-rig.ts";
import { drawQuestions, type Question } from "./simulated-questions.ts";

type Client = ReturnType<StreamRig["ask"]>;

interface Answer {
  readonly question: Question;
  readonly text: string;
  readonly eventCount: number;
}

/** So many of the answers are killed at the events of a move too. */
const MOVED_ANSWERS_RATIO = 0.1;
const MOVE_EVENTS_MAX = 400;

/** What happens while a stream moves, beside the death that made it move. */
const DURING_MOVE: readonly { readonly name: string; readonly happens: (world: StreamRig) => void }[] = [
  ...[1, 2, 3].map((port) => ({ name: `${engineName(port)} dies`, happens: ({ network }: StreamRig) => network.crash(engineName(port)) })),
  ...[2, 3].map((port) => ({ name: `${engineName(port)} stops`, happens: ({ network }: StreamRig) => network.freeze(engineName(port)) })),
  ...[1, 2, 3].map((port) => ({
    name: `a table without ${engineName(port)} comes`,
    happens: (world: StreamRig) => world.rig.tell({ type: "table", table: world.tableWithout(port) }),
  })),
];

/**
 * In the simulator, one world for each death: the engine of every answer dies after each of its events; and of some, at each event of the
 * clock from the death to the next token, something more happens. The client must have the bytes of the undisturbed answer.
 */
export async function runSimulatedRow(answerCount: number, seed: number, progress: Progress): Promise<RowResult> {
  const wrong: string[] = [];
  let deaths = 0;
  let moveEvents = 0;
  const questions = drawQuestions(seed, answerCount);
  const movedEvery = Math.max(1, Math.round(1 / MOVED_ANSWERS_RATIO));
  for (const [index, question] of questions.entries()) {
    const answer = await undisturbed(question);
    for (let at = 1; at < answer.eventCount; at += 1) {
      deaths += 1;
      wrong.push(...(await dieAt(answer, at)));
    }
    if (index % movedEvery === 0) {
      const moved = await disturbMoves(answer);
      moveEvents += moved.events;
      wrong.push(...moved.wrong);
    }
    progress.update(
      `simulated: ${index + 1} of ${answerCount} answers, ${deaths} deaths, ${moveEvents} events of moves, ${wrong.length} wrong`,
    );
  }
  return {
    row: "simulated",
    n: answerCount,
    bars: [
      atLeast("answers whose engine died after each of their events", questions.length, { min: answerCount, unit: "answers" }),
      atLeast("deaths, one at each event of an answer", deaths, { min: answerCount * 8, unit: "deaths" }),
      atLeast("events of moves at which something more happened", moveEvents, { min: Math.ceil(answerCount / 2), unit: "events" }),
      atMost("answers that were not byte-equal", wrong.length, { max: 0, unit: "answers" }),
    ],
    notes: wrong.slice(0, 8),
    control: null,
  };
}

async function undisturbed(question: Question): Promise<Answer> {
  const world = await startStreamRig(1);
  const client = world.ask(question.body, undefined, question.target);
  await world.untilEnded(client);
  if (!client.text.endsWith("data: [DONE]\n\n"))
    throw new Error(`${question.name} is not whole when nothing happens: ${client.text.slice(-300)}`);
  return { question, text: client.text, eventCount: eventsOf(client.text) };
}

const eventsOf = (text: string): number => text.split("\n\n").length - 1;

async function dieAt(answer: Answer, at: number): Promise<readonly string[]> {
  const { question } = answer;
  const world = await startStreamRig(1);
  const client = world.ask(question.body, (count) => (count === at ? world.killServer(client) : undefined), question.target);
  await world.untilEnded(client);
  return isSame(answer, client) ? [] : [`${question.name}, killed after event ${at}: ${JSON.stringify(question.body)}`];
}

/** Comments may have been told meanwhile, and are no part of an answer. */
const isSame = ({ text }: Answer, client: Client): boolean => sameForAll(withoutComments(client.text)) === sameForAll(text);
const withoutComments = (text: string): string => text.replaceAll(/^: .*\n\n/gm, "");

async function disturbMoves(answer: Answer): Promise<{ readonly events: number; readonly wrong: readonly string[] }> {
  const wrong: string[] = [];
  let events = 0;
  for (const { name, happens } of DURING_MOVE) {
    for (let step = 0; step < MOVE_EVENTS_MAX; step += 1) {
      const met = await disturbMove(answer, { step, happens });
      if (met === null) break;
      events += 1;
      if (met === "wrong")
        wrong.push(`${answer.question.name}, ${name} at event ${step} of a move: ${JSON.stringify(answer.question.body)}`);
    }
  }
  return { events, wrong };
}

/** @returns null when the stream had moved before that event of the clock. */
async function disturbMove(
  answer: Answer,
  of: { readonly step: number; readonly happens: (world: StreamRig) => void },
): Promise<"same" | "wrong" | null> {
  const { question } = answer;
  const at = Math.max(2, Math.floor(answer.eventCount / 2));
  const world = await startStreamRig(1);
  let isMoving = false;
  const client = world.ask(
    question.body,
    (count) => {
      if (count !== at) return;
      isMoving = true;
      world.killServer(client);
    },
    question.target,
  );
  const { clock } = world.rig;
  const oneEvent = async (): Promise<void> => clock.advance(Math.max(0, (clock.nextDueMs() ?? clock.monotonicMs()) - clock.monotonicMs()));
  while (!isMoving) await oneEvent();
  for (let step = 0; step < of.step; step += 1) await oneEvent();
  if (eventsOf(withoutComments(client.text)) > at || client.endedAt !== null) return null;
  of.happens(world);
  await world.untilEnded(client);
  return isSame(answer, client) ? "same" : "wrong";
}
