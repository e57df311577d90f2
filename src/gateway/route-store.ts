import type { InstanceName, ServiceName, TenantId, Uid } from "../base/ids.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";

/** The tables in force, by uid; found by what a client names. Order is (uid, epoch, revision): a new uid wins, an older one is refused. */
export class RouteStore {
  readonly #tables = new Map<Uid, RouteTable>();
  readonly #byModel = new Map<TenantId, Map<string, Uid>>();

  /** @returns false when the table is older than the one in force: nothing changed. */
  apply(table: RouteTable): boolean {
    const known = this.#tables.get(table.uid);
    if (known !== undefined && isOlder(table, known)) return false;
    for (const other of this.#tables.values()) if (other.service === table.service) this.#drop(other);
    this.#tables.set(table.uid, table);
    const models = this.#byModel.get(table.tenant) ?? new Map<string, Uid>();
    for (const model of table.models) models.set(model, table.uid);
    this.#byModel.set(table.tenant, models);
    return true;
  }

  remove(uid: Uid): void {
    const known = this.#tables.get(uid);
    if (known !== undefined) this.#drop(known);
  }

  get(uid: Uid): RouteTable | null {
    return this.#tables.get(uid) ?? null;
  }

  find(tenant: TenantId, model: string): RouteTable | null {
    const found = this.#byModel.get(tenant)?.get(model);
    return found === undefined ? null : this.get(found);
  }

  ofService(service: ServiceName): RouteTable | null {
    return this.all().find((table) => table.service === service) ?? null;
  }

  /** Sorted, so that the list does not jump. */
  modelsOf(tenant: TenantId): readonly string[] {
    return [...(this.#byModel.get(tenant)?.keys() ?? [])].toSorted();
  }

  all(): readonly RouteTable[] {
    return [...this.#tables.values()];
  }

  /** Every endpoint of every table with the table that names it, ready or not. */
  endpoints(): readonly { readonly table: RouteTable; readonly endpoint: RungEndpoint }[] {
    return this.all().flatMap((table) => table.rungs.flatMap((rung) => rung.endpoints.map((endpoint) => ({ table, endpoint }))));
  }

  /** The endpoint that an instance has now; null when no table names it. */
  endpointOf(instance: { readonly uid: Uid; readonly instance: InstanceName }): RungEndpoint | null {
    return this.endpoints().find(({ endpoint }) => endpoint.uid === instance.uid)?.endpoint ?? null;
  }

  #drop(table: RouteTable): void {
    this.#tables.delete(table.uid);
    const models = this.#byModel.get(table.tenant);
    for (const [model, owner] of models ?? []) if (owner === table.uid) models?.delete(model);
  }
}

function isOlder(table: RouteTable, than: RouteTable): boolean {
  return table.epoch < than.epoch || (table.epoch === than.epoch && table.revision < than.revision);
}
