import { SLEEP_TAGS, type SleepTag } from "../engine-model/sleep-state.ts";
import type { Exchange } from "../ports/http-front.ts";
import type { EngineCore } from "./engine-core.ts";
import { answerError, answerJson, answerText, badRequest, serverError } from "./engine-error.ts";
import { explainAccountError } from "./engine-residence.ts";
import { parseFaultOrder } from "./parse-engine-fault.ts";
import { parseBody } from "./parse-engine-request.ts";

/** `POST /sleep?level=1|2`: gives the memory back; what runs is aborted by a mild engine, and ends a strict one. */
export async function sleepRoute(core: EngineCore, exchange: Exchange, query: URLSearchParams): Promise<void> {
  const level = query.get("level") ?? "1";
  if (level !== "1" && level !== "2") return answerError(exchange, badRequest("level must be 1 or 2.", "level"));
  // With vLLM a sleep under running decodes ended engines while it answered 200: a caller has to drain first.
  if (core.options.diesOfRequestsAsleep && !core.loop.isIdle) return core.events.crashed("sleep was asked for while a request ran");
  core.loop.abortAll();
  const slept = await core.residence.sleep(level === "1" ? 1 : 2);
  if (slept.ok) return answerText(exchange, 200, "", "text/plain");
  answerError(exchange, serverError(500, explainAccountError(slept.error).what, "sleep_failed"));
}

/** `POST /wake_up?tags=weights&tags=kv_cache`; without tags everything comes back. */
export async function wakeRoute(core: EngineCore, exchange: Exchange, query: URLSearchParams): Promise<void> {
  const names = query.getAll("tags");
  const tags = names.length === 0 ? SLEEP_TAGS : SLEEP_TAGS.filter((tag) => names.includes(tag));
  if (names.some((name) => !isSleepTag(name)))
    return answerError(exchange, badRequest(`tags must be of ${SLEEP_TAGS.join(", ")}.`, "tags"));
  if (core.faults.has("failed-wake")) return answerError(exchange, serverError(500, "The engine did not wake.", "wake_failed"));
  const wasAsleep = core.residence.isAsleep;
  const woken = await core.residence.wake(tags, core.faults.slowWakeFactor);
  if (!woken.ok) return answerError(exchange, serverError(500, explainAccountError(woken.error).what, "wake_failed"));
  if (wasAsleep && tags.includes("weights")) core.wokeUp();
  answerText(exchange, 200, "", "text/plain");
}

const isSleepTag = (name: string): name is SleepTag => SLEEP_TAGS.some((tag) => tag === name);

/** `POST /collective_rpc {"method": "reload_weights"}`: the step that a wake from level 2 needs. */
export async function rpcRoute(core: EngineCore, exchange: Exchange, body: Uint8Array): Promise<void> {
  const document = parseBody(body);
  if (!document.ok) return answerError(exchange, document.error);
  if (document.value["method"] !== "reload_weights") return answerError(exchange, badRequest("Only reload_weights is known.", "method"));
  const loaded = await core.residence.reload();
  if (!loaded.ok) return answerError(exchange, serverError(500, explainAccountError(loaded.error).what, "reload_failed"));
  core.wokeUp();
  answerJson(exchange, 200, { results: [null] });
}

/** `POST /tidegate/faults {"fault", "forMs"}`. The answer leaves before a crash. */
export function injectRoute(core: EngineCore, exchange: Exchange, body: Uint8Array): void {
  const document = parseBody(body);
  const order = document.ok ? parseFaultOrder(document.value) : document;
  if (!order.ok) return answerError(exchange, order.error);
  answerJson(exchange, 200, { fault: order.value.fault, forMs: order.value.forMs });
  core.faults.set(order.value.fault, order.value.forMs);
}

/** `DELETE /tidegate/faults`: all of them. */
export function clearRoute(core: EngineCore, exchange: Exchange): void {
  core.faults.clear();
  answerJson(exchange, 200, { faults: [] });
}
