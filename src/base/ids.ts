// The only file, beside parsers, where a plain value becomes a branded one.

declare const brand: unique symbol;
type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };

/** Who pays and whose promise it is. Lower-case DNS label. */
export type TenantId = Brand<string, "TenantId">;
/** Name of a HotStandbyConfig: one tenant and one served model. */
export type ServiceName = Brand<string, "ServiceName">;
/** Name of one engine with its GPUs, such as `tenant-gold-hot-1`. Stable over generations. */
export type InstanceName = Brand<string, "InstanceName">;
export type NodeName = Brand<string, "NodeName">;
export type PartitionName = Brand<string, "PartitionName">;
/** Identity of a stored object; a new one each time the object is created. */
export type Uid = Brand<string, "Uid">;
export type GatewayId = Brand<string, "GatewayId">;
/** Public, unsecret name of an API key. */
export type KeyId = Brand<string, "KeyId">;
/** Hexadecimal digest of a whole API key; the key itself is stored nowhere. */
export type KeyHash = Brand<string, "KeyHash">;

/** Milliseconds since 1970: stored and shown, never compared with a deadline. */
export type WallMs = Brand<number, "WallMs">;
/** Milliseconds of one process's steady clock, with a fraction: deadlines and durations. */
export type MonotonicMs = Brand<number, "MonotonicMs">;

/** MIG instances of one GPU as bits, one for each place of each profile; always a legal layout. */
export type MigLayout = Brand<number, "MigLayout">;
/** What a layout leaves: its memory slices as bits 0..7, its compute slices in bits 8..10, bit 11 = media engines given. */
export type MigRoom = Brand<number, "MigRoom">;

/** Grows by one at each start of an instance; bytes of an older generation are dropped. */
export type Generation = Brand<number, "Generation">;
/** Grows by one at each move of a service on its ladder. */
export type Epoch = Brand<number, "Epoch">;

export const tenantId = (text: string): TenantId => text as TenantId;
export const serviceName = (text: string): ServiceName => text as ServiceName;
export const instanceName = (text: string): InstanceName => text as InstanceName;
export const nodeName = (text: string): NodeName => text as NodeName;
export const partitionName = (text: string): PartitionName => text as PartitionName;
export const uid = (text: string): Uid => text as Uid;
export const gatewayId = (text: string): GatewayId => text as GatewayId;
export const keyId = (text: string): KeyId => text as KeyId;
export const keyHash = (hexadecimal: string): KeyHash => hexadecimal as KeyHash;
export const wallMs = (milliseconds: number): WallMs => milliseconds as WallMs;
export const monotonicMs = (milliseconds: number): MonotonicMs => milliseconds as MonotonicMs;
export const migLayout = (legalBits: number): MigLayout => legalBits as MigLayout;
export const migRoom = (bits: number): MigRoom => bits as MigRoom;
export const generation = (count: number): Generation => count as Generation;
export const epoch = (count: number): Epoch => count as Epoch;

/** `at` moved by `deltaMs`, which may be negative. */
export const later = (at: MonotonicMs, deltaMs: number): MonotonicMs => (at + deltaMs) as MonotonicMs;
