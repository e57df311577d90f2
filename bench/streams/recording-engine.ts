// An engine's surface in a process of its own that tells when each request came and when its connection was closed: an engine's own
// metrics tell neither. It decodes nothing.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { monotonicMs } from "../failover/monotonic.ts";
import type { EngineMood, EngineOrder, EngineReport } from "./recording-message.ts";

const TOKEN_EVERY_MS = 10;
const ANSWER_TOKENS = 400;
const CHUNK_HEAD = 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,';

let mood: EngineMood = "stream";

const tell = (report: EngineReport): void => {
  process.send?.(report);
};

/** Always busy, and always a step further: nothing here is to be taken for a hung engine. */
const metricsPage = (): string =>
  `vllm:iteration_tokens_total_count ${Math.floor(monotonicMs())}\nvllm:num_requests_running 1\nvllm:num_requests_waiting 0\n`;

function stream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let left = ANSWER_TOKENS;
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return void response.write(`${CHUNK_HEAD}"delta":{"content":"tide "},"finish_reason":null}]}\n\n`);
    clearInterval(timer);
    response.end(`${CHUNK_HEAD}"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`);
  }, TOKEN_EVERY_MS);
  response.on("close", () => clearInterval(timer));
}

function whole(response: ServerResponse): void {
  const message = { role: "assistant", content: "tide" };
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const answer = { id: "c", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message, finish_reason: "stop" }] };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...answer, usage }));
}

function fail(response: ServerResponse): void {
  response.writeHead(500, { "content-type": "application/json" }).end('{"error":{"message":"out of order"}}');
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== "POST") {
    request.resume();
    response.end(request.url === "/metrics" ? metricsPage() : "ok");
    return;
  }
  // The gateway puts something of its own behind what a client called it.
  const id = String(request.headers["x-request-id"] ?? "").replace(/\.[^.]*$/, "");
  tell({ type: "asked", id, atMs: monotonicMs() });
  response.on("close", () => tell({ type: "over", id, atMs: monotonicMs(), isWhole: response.writableFinished }));
  let body = "";
  request.on("data", (bytes: Buffer) => (body += bytes.toString()));
  request.on("end", () => {
    // A request may ask for silence by itself, so that one engine serves every phase.
    if (mood === "fail") fail(response);
    else if (mood === "stream" && !body.includes('"user":"silent"')) (body.includes('"stream":true') ? stream : whole)(response);
  });
}

const server = createServer({ noDelay: true }, answer);
server.listen(0, "127.0.0.1", () => {
  const bound = server.address();
  if (typeof bound === "object" && bound !== null) tell({ type: "listening", port: bound.port });
});
process.on("message", (order: EngineOrder) => {
  mood = order.mood;
});
// Ends with the bench, however the bench ends; a Ctrl-C is the bench's to answer.
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
