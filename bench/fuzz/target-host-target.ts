import assert from "node:assert/strict";
import { createNodeHttpFront } from "../../src/adapters/http-front/node-http.ts";
import type { Exchange, Handler } from "../../src/ports/http-front.ts";
import type { Upstream } from "../../src/ports/upstream.ts";
import { openGateway } from "./fuzz-gateway.ts";
import { TENANTS } from "./fuzz-tenants.ts";
import type { OpenTarget } from "./fuzz-target.ts";
import { answersOf, checkErrorBody, exchangeRaw, type RawAnswer } from "./raw-http.ts";

const [A] = TENANTS;
const POSTED: ReadonlySet<string> = new Set(["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]);
const GOT: ReadonlySet<string> = new Set(["/v1/models", "/healthz", "/readyz"]);
const OPEN: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);
/** All that an address of the gateway, its front, or its admission says. */
const STATUSES: ReadonlySet<number> = new Set([200, 400, 401, 404, 405, 408, 413, 415, 417, 429, 431, 503]);
const ANSWER = JSON.stringify({
  id: "c",
  object: "chat.completion",
  created: 1,
  model: A.model,
  choices: [{ index: 0, message: { role: "assistant", content: "tide" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

/** Raw heads over a real connection: what reaches the handler is of one meaning, and only exact addresses with a key are served. */
export const openTargetHostTarget: OpenTarget = async (watch) => {
  const wrong: unknown[] = [];
  const gateway = await openGateway(checkedEngine(wrong), [[{ host: "127.0.0.1", port: 9 }], [{ host: "127.0.0.1", port: 9 }]]);
  const front = createNodeHttpFront();
  const listening = await front.listen({ host: "127.0.0.1", port: 0 }, checkedHandler(gateway.handler, wrong));
  if (!listening.ok) throw new Error(listening.error.code);
  const { port } = listening.value.address;
  watch.watchTurns();
  return {
    corpus: corpus(),
    words: words(),
    inputBytesMax: 24_000,
    lanes: 8,
    run: async (input) => {
      const { bytes, isClosed } = await exchangeRaw(port, input);
      assert.ok(isClosed, "the connection ends");
      for (const answer of answersOf(bytes, input)) checkAnswer(answer);
      const [first] = wrong;
      if (first !== undefined) throw first;
    },
    close: async () => {
      await listening.value.close(0);
      gateway.stop();
    },
  };
};

function checkAnswer({ status, body, headers, isHeadAlone, isWhole }: RawAnswer): void {
  assert.ok(STATUSES.has(status), `a status that is told: ${status}`);
  assert.ok(isWhole, "an answer is whole");
  assert.equal(headers.get("content-type"), "application/json");
  if (isHeadAlone) return;
  if (status === 200) JSON.parse(body.toString("utf8"));
  else if (!body.toString("utf8").includes('"status":"not ready"')) checkErrorBody(body);
}

/** Looks at every head that is let through, and at what it is answered. */
function checkedHandler(handler: Handler, wrong: unknown[]): Handler {
  return (exchange) => {
    try {
      checkHead(exchange);
    } catch (cause) {
      wrong.push(cause);
    }
    const seen: Exchange = Object.create(exchange, {
      head: {
        value: (status: number, headers: readonly string[]) => {
          if (status === 200 && !mayBeServed(exchange))
            wrong.push(new Error(`Served: ${exchange.method} ${JSON.stringify(exchange.target)}`));
          exchange.head(status, headers);
        },
      },
      ...Object.fromEntries(
        (["write", "end", "abort", "pauseBody", "resumeBody"] as const).map((name) => [name, { value: exchange[name].bind(exchange) }]),
      ),
    });
    return handler(seen);
  };
}

const valuesOf = ({ headers }: Exchange, name: string): readonly string[] =>
  headers.flatMap((value, at) => (at % 2 === 1 && headers[at - 1]?.toLowerCase() === name ? [value] : []));

function checkHead(exchange: Exchange): void {
  const { target, httpVersion, headers } = exchange;
  assert.ok(target.startsWith("/") && !target.includes("#"), `a target is a path: ${target}`);
  assert.match(target, /^[\x21-\x7e]+$/, "a target is of visible characters");
  assert.ok(headers.length <= 200, "a head is short");
  const hosts = valuesOf(exchange, "host");
  assert.ok(hosts.length === 1 || (hosts.length === 0 && httpVersion === "1.0"), "a head has one host");
  for (const host of hosts) {
    const url = URL.parse(`http://${host}/`);
    // A port or a number beyond the largest is no address to anybody.
    const isPlain =
      url === null || (url.pathname === "/" && url.username === "" && url.password === "" && url.search === "" && url.hash === "");
    assert.ok(isPlain && !/[^\x21-\x7e]|[@/#?\\%]/.test(host), `a host is a host: ${host}`);
  }
  assert.ok(!headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === "__proto__"), "no header poisons an object");
  assert.ok(!headers.some((value) => /[\0\r\n]/.test(value)), "no header holds a line end");
  assert.ok(valuesOf(exchange, "content-length").length + valuesOf(exchange, "transfer-encoding").length <= 1, "a body has one framing");
}

/** Said in another way than the product does. */
function mayBeServed(exchange: Exchange): boolean {
  const { method, target } = exchange;
  const [path = ""] = target.split("?", 1);
  if (method === "GET" ? !GOT.has(path) : method !== "POST" || !POSTED.has(path)) return false;
  if (OPEN.has(path)) return true;
  const [value = ""] = valuesOf(exchange, "authorization");
  return TENANTS.some(({ key }) => value.toLowerCase().startsWith("bearer ") && value.slice(7).trim() === key);
}

/** An engine that looks at what it is asked. */
function checkedEngine(wrong: unknown[]): Upstream {
  return {
    call: (_to, request, events) => {
      try {
        const names = request.headers.filter((_, at) => at % 2 === 0).toSorted();
        if (request.method === "POST") {
          assert.ok(POSTED.has(request.target), `an engine is asked at its own address: ${request.target}`);
          assert.deepEqual(names, ["accept", "content-type", "x-request-id"]);
          assert.ok(
            TENANTS.some(({ model }) => (JSON.parse(Buffer.from(request.body ?? []).toString()) as { model: string }).model === model),
          );
        }
        assert.ok(!request.headers.some((value) => value.includes("tg-fuzz")), "no engine is told a key");
      } catch (cause) {
        wrong.push(cause);
      }
      let isOver = false;
      queueMicrotask(() => {
        if (isOver) return;
        events.head(200, ["content-type", "application/json"]);
        if (!isOver) events.data(Buffer.from(ANSWER));
        if (!isOver) events.end();
      });
      return { pause: () => undefined, resume: () => undefined, abort: () => void (isOver = true) };
    },
  };
}

function corpus(): Buffer[] {
  const key = `Authorization: Bearer ${A.key}\r\n`;
  const body = JSON.stringify({ model: A.model, messages: [{ role: "user", content: "tide" }] });
  const post = (path: string, head: string, sent: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: gateway:8080\r\n${key}${head}\r\n${sent}`;
  return [
    `GET /v1/models HTTP/1.1\r\nHost: gateway\r\n${key}\r\n`,
    `GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n`,
    `GET /readyz?full=1 HTTP/1.0\r\n\r\n`,
    `GET /v1/models HTTP/1.1\r\nHost: localhost:4000/#@attacker\r\n${key}\r\n`,
    `GET http://other/v1/models HTTP/1.1\r\nHost: gateway\r\n${key}\r\n`,
    `GET /v1/../admin/%2e%2e/v1/models HTTP/1.1\r\nHost: gateway\r\n${key}\r\n`,
    `OPTIONS * HTTP/1.1\r\nHost: gateway\r\nConnection: close, x-tenant\r\nUpgrade: h2c\r\n\r\n`,
    post("/v1/chat/completions", `Content-Length: ${body.length}\r\n`, body),
    post("/v1/chat/completions", "Transfer-Encoding: chunked\r\n", `${body.length.toString(16)};x=y\r\n${body}\r\n0\r\nX-T: u\r\n\r\n`),
    post("/v1/embeddings", `Content-Length: ${body.length + 1}\r\n`, `${body.slice(0, -1)},"input":"a"}`),
    post("/v1/responses", "Content-Length: 5\r\n", body),
    post("/v1/completions", `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n`, body),
    `HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
    `\rHEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
    post("/v1/models", "Content-Length: 2\r\n", "{}HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
    `GET /v1/models HTTP/1.1\r\nHost: a\r\n${key}\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
  ].map((text) => Buffer.from(text));
}

const words = (): Buffer[] =>
  [
    "\r\n",
    "\r\n\r\n",
    "Host: other\r\n",
    "Host:\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "__proto__: x\r\n",
    "X-A: b\r\n",
    "/v1/models",
    "//",
    "/../",
    "%2f",
    "#",
    "?",
    "@",
    "\\",
    ":99999",
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/2.0",
    "POST ",
    "GET ",
    "CONNECT ",
    "HEAD ",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Content-Encoding: gzip\r\n",
    "X-Request-Id: a b\r\n",
    "X-Tidegate-Claim: x\r\n",
    "0\r\n\r\n",
    "ffffffff\r\n",
    "é",
    "\t",
  ].map((word) => Buffer.from(word));
