import { request, type IncomingMessage } from "node:http";

interface CallOptions {
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it stands. */
  readonly yaml?: string;
  readonly key?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One exchange on loopback, read to its end. */
export async function fetchText(port: number, path: string, options: CallOptions = {}): Promise<Answer> {
  const response = await open(port, path, options);
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** The answer's head; its body is read by whoever asked. */
export function open(port: number, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
  const body = options.body === undefined ? (options.yaml ?? null) : JSON.stringify(options.body);
  const headers = {
    ...(options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }),
    ...(body === null ? {} : { "content-type": options.yaml === undefined ? "application/json" : "application/yaml" }),
  };
  return new Promise((resolve, reject) => {
    const call = request(
      { agent: false, host: "127.0.0.1", port, path, method: options.method ?? (body === null ? "GET" : "POST"), headers },
      resolve,
    );
    call.once("error", reject);
    call.end(body ?? undefined);
  });
}

/** A chat stream, frame by frame. */
export async function* readFrames(response: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    rest += String(chunk);
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 2);
    }
  }
  if (rest !== "") yield rest;
}

export const chat = (model: string, extra: object = {}): object => ({
  model,
  messages: [{ role: "user", content: "What does the tide do?" }],
  max_tokens: 32,
  ...extra,
});

export interface SeenInstance {
  readonly name: string;
  readonly state: string;
  readonly generation: number;
  readonly pid: number | null;
}

const instancesOf = (resource: unknown): readonly SeenInstance[] => {
  const object = resource as { status?: { instances?: readonly SeenInstance[] } | null };
  return object.status?.instances ?? [];
};

/** Instances of a service, by name. */
export async function readInstances(adminPort: number, service: string): Promise<ReadonlyMap<string, SeenInstance>> {
  const answer = await fetchText(adminPort, `/apis/inference.example.com/v1/hotstandbyconfigs/${service}`);
  const resource: unknown = JSON.parse(answer.text);
  return new Map(instancesOf(resource).map((instance) => [instance.name, instance]));
}

/** Follows the admin API's watch of a kind (`hotstandbyconfigs`) until one of the objects that it names is the wanted one. */
export async function watchKind(adminPort: number, plural: string, isWanted: (object: WatchedObject) => boolean): Promise<void> {
  const response = await open(adminPort, `/apis/inference.example.com/v1/${plural}?watch=true`);
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    rest += String(chunk);
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines.filter((text) => text !== "")) {
      if (isWanted((JSON.parse(line) as { object: WatchedObject }).object)) return void response.destroy();
    }
  }
  throw new Error("The watch ended before the wanted state was seen.");
}

export interface WatchedObject {
  readonly metadata: { readonly name: string };
  readonly status?: Readonly<Record<string, unknown>> | null;
}

/** Until the service's instances satisfy `isWanted`. */
export const watchUntil = (
  adminPort: number,
  service: string,
  isWanted: (instances: ReadonlyMap<string, SeenInstance>) => boolean,
): Promise<void> =>
  watchKind(
    adminPort,
    "hotstandbyconfigs",
    (object) => object.metadata.name === service && isWanted(new Map(instancesOf(object).map((instance) => [instance.name, instance]))),
  );
