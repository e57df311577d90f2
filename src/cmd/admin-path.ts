import { RESOURCE_ROOT } from "../admin/kubernetes-form.ts";
import { PLURALS, type Kind } from "../api/resource.ts";

/** Path of a kind, or of one of it, in the admin API. */
export const pathOf = (kind: Kind, name: string | null): string =>
  `${RESOURCE_ROOT}/${PLURALS[kind]}${name === null ? "" : `/${encodeURIComponent(name)}`}`;
