export interface FuzzTenant {
  readonly name: "a" | "b";
  readonly key: string;
  readonly model: string;
}

export const TENANTS: readonly [FuzzTenant, FuzzTenant] = [
  { name: "a", key: "tg-fuzz-0123456789abcdef-of-tenant-a", model: "model-a" },
  { name: "b", key: "tg-fuzz-0123456789abcdef-of-tenant-b", model: "model-b" },
];
