/** Why a request is answered by the front itself, and closed. */
export interface RefusedHead {
  readonly status: 400 | 431;
  /** Stable, for programs. */
  readonly code: string;
  readonly message: string;
}

/** More than any client of an inference API sends; Node cuts longer lists off in ways that differ by version. */
export const HEADERS_MAX = 100;

/**
 * What a correct parser lets through and a gateway must not: forms that two parsers read in two ways.
 * @param target as sent.
 * @param rawHeaders pairs: name, value, name, value.
 * @returns null when the request may go on to its handler.
 */
export function checkRequestHead(method: string, target: string, httpVersion: string, rawHeaders: readonly string[]): RefusedHead | null {
  if (rawHeaders.length > 2 * HEADERS_MAX) {
    return { status: 431, code: "too_many_headers", message: `A request has at most ${HEADERS_MAX} header lines.` };
  }
  // llhttp takes a request line without a version for HTTP/0.9.
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return refuse("unsupported_version", "The HTTP version must be 1.1 or 1.0.");
  return checkTarget(target) ?? checkHeaders(method, httpVersion, rawHeaders);
}

const refuse = (code: string, message: string): RefusedHead => ({ status: 400, code, message });

/** Only the path and query form: routes are compared with the target as sent, so another form must not look like one. */
function checkTarget(target: string): RefusedHead | null {
  if (!target.startsWith("/")) return refuse("invalid_target", "The request target must be a path that starts with a slash.");
  if (target.includes("#")) return refuse("invalid_target", "The request target must not have a fragment.");
  return null;
}

function checkHeaders(method: string, httpVersion: string, rawHeaders: readonly string[]): RefusedHead | null {
  let hostCount = 0;
  let codingCount = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const value = rawHeaders[at + 1] ?? "";
    switch (lowerCased(rawHeaders[at] ?? "")) {
      case "host":
        hostCount += 1;
        if (hostCount > 1) return refuse("duplicate_host", "A request has one Host header.");
        if (!isHost(value)) return refuse("invalid_host", "The Host header must be a host name or address with an optional port.");
        break;
      case "transfer-encoding":
        codingCount += 1;
        if (httpVersion === "1.0") return refuse("invalid_framing", "HTTP/1.0 has no Transfer-Encoding.");
        // llhttp refuses other codings only after it has let the head through.
        if (codingCount > 1 || value.trim().toLowerCase() !== "chunked")
          return refuse("invalid_framing", "The only transfer coding is chunked.");
        if (!mayHaveBody(method)) return refuse("unexpected_body", `A ${method} request has no body.`);
        break;
      case "content-length":
        if (!mayHaveBody(method) && value !== "0") return refuse("unexpected_body", `A ${method} request has no body.`);
        break;
      case "__proto__":
        return refuse("invalid_header", "The header name __proto__ is refused.");
      default:
    }
  }
  return hostCount === 0 && httpVersion === "1.1" ? refuse("missing_host", "A request has a Host header.") : null;
}

const mayHaveBody = (method: string): boolean => method !== "GET" && method !== "HEAD";

// Names come in two usual spellings; the rest pays for its own conversion.
function lowerCased(name: string): string {
  if (name.length !== 4 && name.length !== 9 && name.length !== 14 && name.length !== 17) return "";
  return name.toLowerCase();
}

/** RFC 3986 authority without userinfo: no `@`, `/`, `#`, `?`, space or percent-encoding. */
const isHost = (value: string): boolean => /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(value);
