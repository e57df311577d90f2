import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { ChatCall, chatPrefix, chatRequest, type ChatAnswer } from "./chat-call.ts";
import { HttpPool } from "./http-pool.ts";

type Script = (socket: Socket) => void;

/** Asks a server that answers each request by the script; reads nothing of the request but that it came. */
async function ask(script: Script, isStream: boolean): Promise<ChatAnswer> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => script(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const pool = new HttpPool({ host: "127.0.0.1", port });
  const prefix = chatPrefix({ model: "m", text: "hello", isStream });
  const answer = await new Promise<ChatAnswer>((resolve) => {
    new ChatCall(isStream, resolve).sendOver(pool, chatRequest({ host: "127.0.0.1", port, key: "k" }, prefix, 2));
  });
  pool.close();
  server.close();
  return answer;
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-tidegate-instance: s-hot-1\r\nx-tidegate-attempts: 2\r\n";
const chunked = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const token = (content: string): string => `data: {"choices":[{"delta":{"content":"${content}"},"finish_reason":null}]}\n\n`;
const FINISH = `data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\ndata: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n`;
const DONE = "data: [DONE]\n\n";
const stream = (...parts: string[]): string => `${HEAD}transfer-encoding: chunked\r\n\r\n${parts.map(chunked).join("")}0\r\n\r\n`;

test("the bench's client reads a whole stream, whatever pieces it comes in", async () => {
  const bytes = Buffer.from(stream(token("tide "), token("→"), FINISH, DONE));
  const answer = await ask((socket) => {
    for (let at = 0; at < bytes.length; at += 7) socket.write(bytes.subarray(at, at + 7));
  }, true);
  assert.deepEqual([answer.outcome, answer.text, answer.tokenTimesMs.length, answer.completionTokens], ["complete", "tide →", 2, 2]);
  assert.deepEqual([answer.instance, answer.attempts, answer.promptTokens], ["s-hot-1", 2, 9]);
});

const endings: readonly { name: string; script: Script; isStream: boolean; outcome: string }[] = [
  {
    name: "the bench's client takes an error event for an explicit error, also when the connection is then cut",
    script: (socket) => {
      socket.write(
        `${HEAD}transfer-encoding: chunked\r\n\r\n${chunked(token("a"))}${chunked('data: {"error":{"code":"upstream_lost"}}\n\n')}`,
      );
      socket.end();
    },
    isStream: true,
    outcome: "error-event upstream_lost",
  },
  {
    name: "the bench's client takes a stream without its end marker for truncated",
    script: (socket) => void socket.write(stream(token("a"), FINISH)),
    isStream: true,
    outcome: "truncated no [DONE]",
  },
  {
    name: "the bench's client takes a stream without a finish reason for truncated",
    script: (socket) => void socket.write(stream(token("a"), DONE)),
    isStream: true,
    outcome: "truncated no finish_reason",
  },
  {
    name: "the bench's client takes a stream that the connection cuts for truncated",
    script: (socket) => {
      socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n${chunked(token("a"))}`);
      socket.end();
    },
    isStream: true,
    outcome: "truncated closed",
  },
  {
    name: "the bench's client names the code of an error status",
    script: (socket) => {
      const body = '{"error":{"code":"overloaded"}}';
      socket.write(`HTTP/1.1 503 No\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    },
    isStream: true,
    outcome: "error-status overloaded",
  },
  {
    name: "the bench's client takes a connection without any byte for no answer",
    script: (socket) => void socket.destroy(),
    isStream: false,
    outcome: "no-answer closed",
  },
  {
    name: "the bench's client takes a whole answer without a finish reason for wrong",
    script: (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{"choices":[]}'),
    isStream: false,
    outcome: "wrong no whole answer in the body",
  },
];
for (const { name, script, isStream, outcome } of endings) {
  test(name, async () => {
    const answer = await ask(script, isStream);
    assert.equal(`${answer.outcome} ${answer.note}`, outcome);
  });
}
