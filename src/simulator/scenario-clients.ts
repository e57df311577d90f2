import type { Upstream } from "../ports/upstream.ts";
import type { StageClient } from "./scenario-stage.ts";

type Load = StageClient["load"];
/** Called when the platform does something else than it must. */
type Found = (what: string) => void;

const TOKENS = 48;
const nothing = (): void => undefined;

/** A body that is no JSON: its answer must be a 4xx, and no engine's fault. */
export function sendBadRequest(upstream: Upstream, load: Load, found: Found): void {
  call(upstream, load, "{", {
    head: (status) => (status >= 400 && status < 500 ? undefined : found(`the answer was ${status}`)),
    data: nothing,
    end: nothing,
    failed: ({ code }) => found(`no answer came: ${code}`),
  });
}

/** A stream whose client goes away at its first byte. */
export function sendHangUp(upstream: Upstream, load: Load, found: Found): void {
  const messages = [{ role: "user", content: "Tell of the tide." }];
  const body = JSON.stringify({ model: load.model, stream: true, max_tokens: TOKENS, temperature: 0, messages });
  const running = call(upstream, load, body, {
    head: (status) => (status === 200 ? undefined : found(`the answer was ${status}`)),
    data: () => running.abort(),
    end: () => found("the stream ended before its client went away"),
    failed: ({ code }) => found(`no answer came: ${code}`),
  });
}

function call(
  upstream: Upstream,
  { gateway, key }: Load,
  body: string,
  events: Parameters<Upstream["call"]>[2],
): ReturnType<Upstream["call"]> {
  const headers = ["authorization", `Bearer ${key}`, "content-type", "application/json"];
  return upstream.call(gateway, { method: "POST", target: "/v1/chat/completions", headers, body: new TextEncoder().encode(body) }, events);
}
