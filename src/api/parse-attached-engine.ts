import { z } from "zod";
import { instanceName } from "../base/ids.ts";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import type { AttachedEngine } from "./attached-engine.ts";
import { dataProblems } from "./data-problems.ts";
import { problemOf } from "./finding.ts";
import { nameFindings } from "./name-findings.ts";
import type { Problem } from "./problem.ts";
import type { ResourceDraft } from "./resource.ts";
import type { EndpointAddress } from "./route-table.ts";
import { shown } from "./shape-findings.ts";

const spec = z.strictObject({ url: z.string().max(2_048), allowedHosts: z.array(z.string().max(253)).max(16).optional() });

/** `spec: { url, allowedHosts? }`: a host other than loopback must be named in `allowedHosts` too, letter by letter. */
export function parseAttachedEngine(resource: Pick<ResourceDraft, "name" | "spec">): Result<AttachedEngine, readonly Problem[]> {
  const named = nameFindings(resource.name).map((finding) => problemOf(finding));
  const parsed = spec.safeParse(resource.spec);
  if (!parsed.success) return err([...named, ...dataProblems(`AttachedEngine ${resource.name}`, parsed.error.issues)]);
  const { url, allowedHosts = [] } = parsed.data;
  const address = parseAttachedUrl(url, allowedHosts);
  if (!address.ok) {
    const finding = { code: "FORBIDDEN_ADDRESS", at: ["spec", "url"], mark: "value", ...address.error } as const;
    return err([...named, problemOf(finding)]);
  }
  return named.length > 0 ? err(named) : ok({ name: instanceName(resource.name), url, address: address.value });
}

/**
 * Where an attached engine listens. The parsed host is judged, never the text: `127.1` and `0x7f.1` are loopback too.
 * Only http, no userinfo, no path but `/v1`. Unspecified, link-local and multicast addresses are never allowed.
 */
export function parseAttachedUrl(text: string, allowedHosts: readonly string[]): Result<EndpointAddress, Explanation> {
  const url = URL.parse(text);
  const refuse = (why: string, next: string) =>
    err({ what: `${shown(text.replace(/\/\/[^@/]*@/, "//...@"))} is no address of an engine.`, why, next });
  if (url === null) return refuse("It is no URL.", "Write it as http://127.0.0.1:8000.");
  if (url.protocol !== "http:") return refuse(`Engines are called over http, not ${url.protocol}`, "Write it as http://127.0.0.1:8000.");
  if (url.username !== "" || url.password !== "")
    return refuse("A URL with a user or a password ends up in logs.", "Remove user and password.");
  if (!/^\/(?:v1\/?)?$/.test(url.pathname) || url.search !== "" || url.hash !== "") {
    return refuse("The paths of the API are added by the gateway.", `Write it as http://${url.host}.`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isNeverAllowed(host)) return refuse(`${host} is no address of one server.`, "Name the address that the engine listens on.");
  if (!isLoopback(host) && !allowedHosts.includes(host) && !allowedHosts.includes(url.hostname)) {
    return refuse(`${host} is not this machine.`, `Allow it by name: add ${host} to spec.allowedHosts.`);
  }
  // Names resolve differently from machine to machine; loopback always means this one.
  return ok({ host: host === "localhost" ? "127.0.0.1" : host, port: url.port === "" ? 80 : Number(url.port) });
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);

/** Unspecified, link-local (cloud metadata lives there), multicast, and IPv6 forms that hide an IPv4 address. */
const isNeverAllowed = (host: string): boolean =>
  /^(?:0\.|169\.254\.|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.)/.test(host) ||
  host === "" ||
  host === "::" ||
  host === "fd00:ec2::254" ||
  /^(?:fe[89ab]|ff|64:ff9b:|::ffff:)/.test(host);
