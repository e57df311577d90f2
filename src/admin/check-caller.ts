import type { EndpointAddress } from "../api/route-table.ts";
import type { Refusal } from "./status.ts";

/** Who may call, decided from the head alone. */
export interface CallerPolicy {
  /** Where we listen; the port is the real one. */
  readonly listening: EndpointAddress;
  /** More authorities (`name` or `name:port`) that a proxy or a container may call us by. */
  readonly names: readonly string[];
}

/** Only a name in the form of an RFC 3986 authority, without userinfo: `localhost:8081/#@evil` is none. */
const AUTHORITY = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,252}))(?::(\d{1,5}))?$/;
const HTTP_PORT = 80;

export const isLoopbackHost = (host: string): boolean =>
  host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);

const isAddress = (host: string): boolean => host.startsWith("[") || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);

/**
 * A page on another site must not reach us by pointing its own name at our address (DNS rebinding), nor by a request across origins.
 * An address literal as Host cannot be rebound; it is let in where we listen beyond loopback, since the token is needed there.
 */
export function checkCaller(headers: readonly string[], policy: CallerPolicy): Refusal | null {
  const hosts = valuesOf(headers, "host");
  const host = hosts.length === 1 ? (hosts[0] ?? "").toLowerCase() : null;
  if (host === null || !isOwnAuthority(host, policy)) {
    return { reason: "MisdirectedRequest", message: "This host name is not ours: call the address that `tidegate up` printed." };
  }
  const origins = valuesOf(headers, "origin");
  if (origins.length > 1 || origins.some((origin) => !isOwnOrigin(origin.toLowerCase(), host))) {
    return { reason: "Forbidden", message: "A page of another origin may not call this API." };
  }
  return null;
}

function isOwnAuthority(authority: string, policy: CallerPolicy): boolean {
  if (policy.names.some((name) => name.toLowerCase() === authority)) return true;
  const match = AUTHORITY.exec(authority);
  if (match === null) return false;
  const host = match[1] ?? "";
  const port = match[3] === undefined ? HTTP_PORT : Number(match[3]);
  if (port !== policy.listening.port) return false;
  if (isLoopbackHost(host)) return true;
  return !isLoopbackHost(policy.listening.host) && (isAddress(host) || host === policy.listening.host.toLowerCase());
}

// The Host was found ours before, so an origin is ours exactly when it is the page that this Host serves; TLS may end before us.
const isOwnOrigin = (origin: string, host: string): boolean => origin === `http://${host}` || origin === `https://${host}`;

/** Values of a header in raw pairs; names compare without case. */
export function valuesOf(headers: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() === name) values.push(headers[index + 1] ?? "");
  }
  return values;
}
