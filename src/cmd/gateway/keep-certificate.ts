import type { NodeListener } from "../../adapters/http-front/node-http.ts";
import { readTlsFiles, stampOf, type TlsMaterial, type TlsPaths } from "../../adapters/http-front/tls-files.ts";
import { err, type Explanation, type Result } from "../../base/result.ts";
import type { Metric, GaugeHandle, CounterHandle } from "../../base/metric.ts";
import type { GatewayParts } from "./running-gateway.ts";

/** Files that were replaced are noticed so soon; SIGHUP is for those who do not want to wait. */
const LOOK_EVERY_MS = 2_000;

export const explainTls = (why: string): Explanation => ({
  what: "The gateway cannot serve TLS with these files.",
  why,
  next: "Give --tls-cert and --tls-key a certificate chain and its key in PEM, and start again.",
});

/** The certificate that a gateway serves with: read at its start, and again whenever its files change. What runs is never cut for it. */
export class CertificateKeeper {
  readonly #parts: GatewayParts;
  readonly #paths: TlsPaths;
  readonly #expiry: Metric<GaugeHandle>;
  readonly #reloads: Metric<CounterHandle>;
  #stamp = "";

  constructor(parts: GatewayParts, paths: TlsPaths) {
    this.#parts = parts;
    this.#paths = paths;
    const { registry } = parts.gateway.metrics;
    this.#expiry = registry.gauge(
      "tidegate_tls_certificate_expiry_timestamp_seconds",
      "When the certificate that is served expires, in seconds since 1970.",
    );
    this.#reloads = registry.counter("tidegate_tls_certificate_reloads_total", "Changes of the certificate's files, by outcome.", [
      "outcome",
    ]);
  }

  /** For the listener's start. */
  read(): Result<TlsMaterial, Explanation> {
    this.#stamp = stampOf(this.#paths);
    const read = readTlsFiles(this.#paths, this.#parts.clock.wallMs());
    if (!read.ok) return err(explainTls(read.error));
    this.#took(read.value);
    return read;
  }

  /** From now on the listener serves what the files hold. */
  keep(listener: NodeListener): void {
    const lookLater = (): void => {
      this.#parts.clock.after(LOOK_EVERY_MS, () => {
        if (stampOf(this.#paths) !== this.#stamp) this.#reload(listener);
        lookLater();
      });
    };
    lookLater();
    process.on("SIGHUP", () => this.#reload(listener));
  }

  /** New connections get the new certificate. A bad file changes nothing: cert and key are rarely replaced in one moment, the next look may find both. */
  #reload(listener: NodeListener): void {
    this.#stamp = stampOf(this.#paths);
    const read = readTlsFiles(this.#paths, this.#parts.clock.wallMs());
    this.#reloads.with(read.ok ? "taken" : "refused").add(1);
    if (!read.ok) {
      const fields = { gateway: this.#parts.id, reason: read.error };
      return this.#parts.log.record({ level: "error", event: "gateway.certificate-refused", fields });
    }
    listener.serveWith(read.value);
    this.#took(read.value);
  }

  #took({ subject, expiresAtMs, openKeyMode }: TlsMaterial): void {
    const { log, id } = this.#parts;
    this.#expiry.with().set(Math.floor(expiresAtMs / 1_000));
    const expires = new Date(expiresAtMs).toISOString();
    log.record({ level: "info", event: "gateway.certificate-taken", fields: { gateway: id, subject, expires } });
    if (openKeyMode === null) return;
    log.record({ level: "warn", event: "gateway.key-is-open", fields: { gateway: id, path: this.#paths.key, mode: openKeyMode } });
    process.stderr.write(`warning: ${this.#paths.key} can be read by others (mode ${openKeyMode}): chmod 600 ${this.#paths.key}\n`);
  }
}
