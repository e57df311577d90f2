// A client process of its own: it shares no event loop with what it measures, nor with the bench that injects the faults.
import { ASK_KINDS, type AskKind } from "./ask-kind.ts";
import { ChatCall, chatPrefix, chatRequest, type ChatAnswer } from "./chat-call.ts";
import { HttpPool } from "./http-pool.ts";
import type { LoadCommand, LoadOrder, LoadReport } from "./load-message.ts";
import { draw, gapMs, type Ask } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { isRightAnswer, type Reference } from "./prompts.ts";
import type { Outcome, RequestRecord } from "./request-record.ts";
import { seeded } from "./seeded.ts";
import { ToldAnswer } from "./told-answer.ts";

const PATIENCE_MS = 20_000;
const REPORT_EVERY_MS = 50;
/** Sleep to shortly before an arrival: a timer may be a millisecond late, never early. */
const TIMER_MARGIN_MS = 1;

interface Prepared {
  readonly reference: Reference;
  readonly wholePrefix: Buffer;
  readonly streamPrefixes: ReadonlyMap<AskKind, Buffer>;
}

function prepare(order: LoadOrder): ReadonlyMap<number, readonly Prepared[]> {
  const bySize = new Map<number, Prepared[]>();
  for (const reference of order.references) {
    const prefix = (isStream: boolean, kind: AskKind = "plain"): Buffer =>
      chatPrefix({ model: order.model, text: reference.text, isStream, kind });
    const kinds = ASK_KINDS.filter((kind) => kind === "plain" || reference.told[kind] !== undefined);
    const list = bySize.get(reference.size) ?? [];
    list.push({ reference, wholePrefix: prefix(false), streamPrefixes: new Map(kinds.map((kind) => [kind, prefix(true, kind)])) });
    bySize.set(reference.size, list);
  }
  return bySize;
}

const report = (message: LoadReport): void => {
  process.send?.(message);
};

function judgeAnswer(answer: ChatAnswer, reference: Reference, { kind, maxTokens }: Ask): { outcome: Outcome; note: string } {
  if (kind !== "plain") return judgeTold(answer, ToldAnswer.of(reference.told[kind] ?? []));
  if (answer.outcome !== "complete") return answer;
  if (answer.completionTokens !== maxTokens) return { outcome: "wrong", note: `${answer.completionTokens} tokens instead of ${maxTokens}` };
  if (!isRightAnswer(reference, answer.text, maxTokens)) return { outcome: "wrong", note: "not the tokens of the model" };
  return answer;
}

function judgeTold(answer: ChatAnswer, expected: ToldAnswer): { outcome: Outcome; note: string } {
  const { outcome, told } = answer;
  const isRight = outcome === "complete" ? told.isSameAs(expected) : told.isBeginningOf(expected);
  return isRight ? answer : { outcome: "wrong", note: `${outcome}, but not what was told undisturbed` };
}

class Load {
  readonly #order: LoadOrder;
  readonly #chance: () => number;
  readonly #pool: HttpPool;
  readonly #prepared: ReadonlyMap<number, readonly Prepared[]>;
  readonly #inFlight = new Map<number, { arrivedAtMs: number; call: ChatCall }>();
  #records: RequestRecord[] = [];
  #sent = 0;
  #nextArrivalAtMs: number;
  #isStopping = false;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#chance = seeded(order.seed);
    this.#pool = new HttpPool(order.target, { keepsAlive: order.keepsAlive ?? true });
    this.#prepared = prepare(order);
    this.#nextArrivalAtMs = monotonicMs();
    const { pace } = order;
    if (pace.kind === "open") this.#arrive(pace.ratePerSecond);
    else for (let index = 0; index < pace.inFlight; index += 1) this.#send(monotonicMs());
    const reporting = setInterval(() => {
      this.#report();
      if (!this.#isStopping || this.#inFlight.size > 0) return;
      clearInterval(reporting);
      this.#pool.close();
      report({ type: "stopped" });
    }, REPORT_EVERY_MS);
  }

  stop(): void {
    this.#isStopping = true;
  }

  #arrive(ratePerSecond: number): void {
    if (this.#isStopping) return;
    while (this.#nextArrivalAtMs <= monotonicMs()) {
      this.#send(this.#nextArrivalAtMs);
      this.#nextArrivalAtMs += gapMs(ratePerSecond, this.#chance);
    }
    setTimeout(() => this.#arrive(ratePerSecond), Math.max(0, this.#nextArrivalAtMs - monotonicMs() - TIMER_MARGIN_MS));
  }

  #send(arrivedAtMs: number): void {
    const ask = draw(this.#order.mix, this.#chance);
    const choices = this.#prepared.get(ask.promptTokens) ?? [];
    const prepared = choices[Math.floor(this.#chance() * choices.length)];
    if (prepared === undefined) throw new Error(`No prompt of ${ask.promptTokens} tokens was prepared.`);
    const id = this.#sent;
    this.#sent += 1;
    const prefix = ask.isStream ? prepared.streamPrefixes.get(ask.kind) : prepared.wholePrefix;
    if (prefix === undefined) throw new Error(`No answer of the kind ${ask.kind} was prepared.`);
    const call = new ChatCall(ask.isStream, (answer) => this.#settle(id, arrivedAtMs, ask, prepared.reference, answer));
    this.#inFlight.set(id, { arrivedAtMs, call });
    call.sendOver(this.#pool, chatRequest(this.#order.target, prefix, ask.maxTokens, ask.kind === "plain" ? null : `${id}`));
  }

  #settle(id: number, arrivedAtMs: number, ask: Ask, reference: Reference, answer: ChatAnswer): void {
    this.#inFlight.delete(id);
    const { outcome, note } = judgeAnswer(answer, reference, ask);
    const { status, instance, level, attempts, retryAfterSeconds, tokenTimesMs, endedAtMs } = answer;
    const { isStream, maxTokens, kind } = ask;
    const { promptTokens } = reference;
    this.#records.push({
      id,
      isStream,
      kind,
      promptTokens,
      maxTokens,
      arrivedAtMs,
      endedAtMs,
      tokenTimesMs,
      outcome,
      status,
      instance,
      level,
      attempts,
      retryAfterSeconds,
      note,
    });
    if (this.#order.pace.kind === "closed" && !this.#isStopping) this.#send(monotonicMs());
  }

  #report(): void {
    const nowMs = monotonicMs();
    let settledBeforeMs = Math.min(nowMs, this.#order.pace.kind === "open" ? this.#nextArrivalAtMs : nowMs);
    for (const { arrivedAtMs, call } of this.#inFlight.values()) {
      if (arrivedAtMs < nowMs - PATIENCE_MS) call.giveUp();
      else settledBeforeMs = Math.min(settledBeforeMs, arrivedAtMs);
    }
    const records = this.#records;
    this.#records = [];
    report({ type: "progress", records, sent: this.#sent, inFlight: this.#inFlight.size, settledBeforeMs });
  }
}

let load: Load | null = null;
process.on("message", (command: LoadCommand) => {
  if (command.type === "stop") load?.stop();
  else load = new Load(command.order);
});
// Ends with the bench, however the bench ends; a Ctrl-C is the bench's to answer.
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
report({ type: "listening" });
