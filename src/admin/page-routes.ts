import { PROMETHEUS_TEXT_TYPE } from "../wire/prometheus-text.ts";
import { KINDS, PLURALS } from "../api/resource.ts";
import type { AdminAnswer, AdminRoute } from "./route.ts";
import { RESOURCE_ROOT } from "./kubernetes-form.ts";

interface Pages {
  readonly metrics: () => string;
  /** null = ready. */
  readonly missing: () => Promise<string | null>;
  readonly version: string;
}

const TEXT_TYPE = "text/plain; charset=utf-8";

/** Health for probes, metrics, and a page that says what is here. */
export function pageRoutes(pages: Pages): readonly AdminRoute[] {
  const get = (
    pattern: string,
    auth: AdminRoute["auth"],
    meaning: string,
    answer: () => AdminAnswer | Promise<AdminAnswer>,
  ): AdminRoute => ({
    method: "GET",
    pattern,
    auth,
    meaning,
    accepts: [],
    handle: async () => answer(),
  });
  return [
    get("/healthz", "open", "the process lives", () => text(200, TEXT_TYPE, "ok\n")),
    // Why it is not ready names services, so only the short answer is for everybody.
    get("/readyz", "open", "200 when every service is served, else 503", async () =>
      (await pages.missing()) === null ? text(200, TEXT_TYPE, "ok\n") : text(503, TEXT_TYPE, "not ready\n"),
    ),
    get("/metrics", "token", "metrics in Prometheus' text format", () => text(200, PROMETHEUS_TEXT_TYPE, pages.metrics())),
    get("/", "token", "a page that links to what is here", async () =>
      text(200, "text/html; charset=utf-8", frontPage(pages.version, await pages.missing())),
    ),
  ];
}

function text(status: number, contentType: string, body: string): AdminAnswer {
  // No script, no frame, nothing from elsewhere: the page only lists links.
  const policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
  return {
    form: "whole",
    status,
    headers: ["content-type", contentType, "cache-control", "no-store", "content-security-policy", policy],
    body,
  };
}

function frontPage(version: string, missing: string | null): string {
  const link = (href: string, what: string): string => `<li><a href="${href}"><code>${href}</code></a> ${what}</li>`;
  const kinds = KINDS.map((kind) => link(`${RESOURCE_ROOT}/${PLURALS[kind]}`, kind));
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Tidegate</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}</style></head>
<body>
<h1>Tidegate ${escapeHtml(version)}</h1>
<p>${missing === null ? "Ready." : `Not ready: ${escapeHtml(missing)}`}</p>
<h2>Resources</h2>
<p>JSON in Kubernetes' form. Add <code>?watch=true</code> to follow changes.</p>
<ul>
${kinds.join("\n")}
</ul>
<h2>Health and metrics</h2>
<ul>
${[link("/healthz", "the process lives"), link("/readyz", "every service is served"), link("/metrics", "for Prometheus")].join("\n")}
</ul>
<p>On the command line: <code>npx tidegate get instances</code>, <code>npx tidegate describe SERVICE</code>.</p>
</body>
</html>
`;
}

const escapeHtml = (value: string): string =>
  value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
