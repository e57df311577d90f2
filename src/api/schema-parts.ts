import { z } from "zod";
import type { Result } from "../base/result.ts";
import { parseDuration } from "./parse-duration.ts";
import { parseQuantity, type UnreadableText } from "./parse-quantity.ts";

/** A DNS label: what Kubernetes takes as a name, and short enough that derived names stay valid. */
export const LABEL_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Names of models as clients send them: `tide-8b`, `org/model:tag`. */
const MODEL_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$/;
const TEXT_LENGTH_MAX = 4_096;
const LIST_LENGTH_MAX = 256;
export const GPU_COUNT_MAX = 1_024;
export const COUNT_MAX = 1_000_000_000;

function readText(parse: (text: string) => Result<number, UnreadableText>) {
  return z.string().transform((text, context) => {
    const read = parse(text);
    if (read.ok) return read.value;
    context.addIssue({ code: "custom", message: read.error.why, params: { ...read.error } });
    return z.NEVER;
  });
}

export const quantity = (): ReturnType<typeof readText> => readText(parseQuantity);
export const duration = (): ReturnType<typeof readText> => readText(parseDuration);
export const count = (least: number, most: number): z.ZodInt => z.int().min(least).max(most);
export const label = (): z.ZodString => z.string().regex(LABEL_PATTERN);
export const modelName = (): z.ZodString => z.string().regex(MODEL_NAME_PATTERN);
export const text = (): z.ZodString => z.string().min(1).max(TEXT_LENGTH_MAX);
export const listOf = <Item extends z.ZodType>(item: Item): z.ZodArray<Item> => z.array(item).max(LIST_LENGTH_MAX);
/** Labels and selectors: any key, always texts. */
export const textMap = (): z.ZodRecord<z.ZodString, z.ZodString> => z.record(z.string().max(317), z.string().max(TEXT_LENGTH_MAX));
