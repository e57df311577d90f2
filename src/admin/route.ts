import { assert } from "../base/assert.ts";

/** One parsed request: what a route sees. */
export interface AdminRequest {
  readonly method: string;
  /** Segments that stood where the pattern has `:name`, percent-decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Lower case, without parameters; null = none was sent. */
  readonly contentType: string | null;
  /** The whole body, at most BODY_BYTES_MAX. */
  readonly body: string;
}

/** Sends one JSON line; false = the client is behind: wait for `onDrained`. */
export interface AdminStream {
  send(line: string): boolean;
  end(): void;
}
/** What a running stream is told; the last of these is `gone`. */
export interface AdminStreamEvents {
  drained(): void;
  gone(): void;
}

export type AdminAnswer =
  | { readonly form: "whole"; readonly status: number; readonly headers: readonly string[]; readonly body: string }
  | { readonly form: "stream"; readonly open: (stream: AdminStream) => AdminStreamEvents };

export interface AdminRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Exact segments; `:name` stands for one segment. */
  readonly pattern: string;
  /** `open` = answers anybody who reaches the port; `token` = needs the token, where one is set. */
  readonly auth: "open" | "token";
  /** What it does, for the reference. */
  readonly meaning: string;
  /** Media types of the body; none = the route takes no body. */
  readonly accepts: readonly string[];
  readonly handle: (request: AdminRequest) => Promise<AdminAnswer>;
}

export type RouteMatch =
  | { readonly found: "route"; readonly route: AdminRoute; readonly parameters: Readonly<Record<string, string>> }
  /** The path exists, the method does not: what it may be. */
  | { readonly found: "path"; readonly methods: readonly string[] }
  | { readonly found: "nothing" };

const NAME_MAX = 253;

/** Default-deny: what is not in the table does not exist. A route that declares no auth ends the start. */
export function createRouteTable(routes: readonly AdminRoute[]): (method: string, path: string) => RouteMatch {
  const seen = new Set<string>();
  const table = routes.map((route) => {
    const title = `${route.method} ${route.pattern}`;
    assert(["open", "token"].includes(route.auth), `${title} declares its auth`);
    assert(!seen.has(title), `${title} is declared once`);
    seen.add(title);
    return { route, segments: route.pattern.split("/") };
  });
  return (method, path) => {
    const segments = path.split("/");
    const methods: string[] = [];
    for (const { route, segments: pattern } of table) {
      const parameters = matchSegments(pattern, segments);
      if (parameters === null) continue;
      if (route.method === method) return { found: "route", route, parameters };
      methods.push(route.method);
    }
    return methods.length === 0 ? { found: "nothing" } : { found: "path", methods };
  };
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> | null {
  if (pattern.length !== segments.length) return null;
  const parameters: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (!expected.startsWith(":")) {
      if (expected !== segment) return null;
      continue;
    }
    // Names of resources need no escape, so an escaped one names nothing that exists.
    if (segment === "" || segment.length > NAME_MAX || !/^[A-Za-z0-9.-]+$/.test(segment)) return null;
    parameters[expected.slice(1)] = segment;
  }
  return parameters;
}
