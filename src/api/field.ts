/** One field of a manifest: what messages and the reference say of it. */
export interface Field {
  /** From the top of the resource, list indexes written `[]`: `spec.degraded[].upTo`. */
  readonly path: string;
  /** What may stand there: `a whole number from 1 to 1024`. */
  readonly form: string;
  /** The form of one item of a list, or of one value of a map; null for anything else. */
  readonly itemForm: string | null;
  readonly example: string;
  readonly meaning: string;
  /** What holds when the field is absent; null = it must be written. */
  readonly fallback: string | null;
  /** notYet = read, checked and kept, without an effect in this version. */
  readonly effect: "built" | "notYet";
  /** Of a field that is not built: the value that says what happens anyway; null = none does. */
  readonly anyway: string | null;
}

export const QUANTITY_FORM = "a quantity of bytes";
export const DURATION_FORM = "a duration";
export const BOOLEAN_FORM = "true or false";
export const LABEL_FORM = "lower-case letters, digits and dashes, at most 63";
export const TEXT_FORM = "a text";
export const whole = (least: number, most: number): string => `a whole number from ${least} to ${most}`;
export const oneOf = (...words: readonly string[]): string => `one of ${words.join(", ")}`;

/** The usual columns of a table of fields, so that a table reads as one. */
export interface FieldRow {
  readonly path: string;
  readonly form: string;
  readonly itemForm?: string;
  readonly example: string;
  readonly meaning: string;
  readonly fallback: string | null;
  readonly isBuilt?: boolean;
  readonly anyway?: string;
}
export function fieldOf(row: FieldRow): Field {
  const { path, form, itemForm = null, example, meaning, fallback, isBuilt = true, anyway = null } = row;
  return { path, form, itemForm, example, meaning, fallback, effect: isBuilt ? "built" : "notYet", anyway };
}
