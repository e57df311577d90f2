/** The `version` of a package.json. */
export function parsePackageVersion(text: string): string {
  const { version } = JSON.parse(text) as { readonly version?: unknown };
  return typeof version === "string" ? version : "unknown";
}
