import { resolve } from "node:path";
import { readTlsFiles } from "../../adapters/http-front/tls-files.ts";
import type { WallMs } from "../../base/ids.ts";
import { err, ok, type Explanation, type Result } from "../../base/result.ts";
import type { UpOptions } from "../options.ts";

type Asked = Pick<UpOptions, "gatewayTlsCert" | "gatewayTlsKey">;

/** What the gateway is told of TLS; nothing when it serves plain HTTP. Looked at here, where a refusal is read, not only in its log. */
export function gatewayTls({ gatewayTlsCert: cert, gatewayTlsKey: key }: Asked, nowMs: WallMs): Result<readonly string[], Explanation> {
  if (cert === undefined && key === undefined) return ok([]);
  const refuse = (why: string): Result<never, Explanation> =>
    err({
      what: "The gateway cannot serve TLS.",
      why,
      next: "Give --gateway-tls-cert and --gateway-tls-key a certificate chain and its key, both in PEM.",
    });
  if (cert === undefined || key === undefined) return refuse(`There is no ${cert === undefined ? "certificate" : "key"}.`);
  // It runs elsewhere.
  const paths = { cert: resolve(cert), key: resolve(key) };
  const read = readTlsFiles(paths, nowMs);
  return read.ok ? ok(["--tls-cert", paths.cert, "--tls-key", paths.key]) : refuse(read.error);
}
