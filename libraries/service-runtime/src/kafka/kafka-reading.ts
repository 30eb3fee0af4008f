import { createHash } from 'node:crypto';
import type { UnreadableMessage, UnreadableReason } from '@neural-hive/contracts';
import { messageOf } from '@neural-hive/security/common';
import { EncodingError, type JsonValue, parseStrictJson } from '@neural-hive/security/encoding';
import type { z } from 'zod';

/** A message as it came, with where it lay. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** Epoch milliseconds, as text. */
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface Problem {
  readonly reason: UnreadableReason;
  /** The rules that are broken; nothing of the content. */
  readonly problem: string;
}

export type KafkaReading<T> =
  | { readonly ok: true; readonly value: T }
  | ({ readonly ok: false /** As far as it is JSON. */; readonly json: JsonValue | undefined } & Problem);

const KNOWN_SCHEMA_VERSION = 1;
const MOST_PROBLEM_CHARACTERS = 2_000;
/** What a dead letter keeps whole, at most. */
const MOST_KEPT_BYTES = 262_144;
/** Of what a message may have, what a value may have that is kept in one: base64 and the rest have to fit as well. */
const KEPT_SHARE = 1 / 4;

/** Reads an untrusted message. Never throws for what is in it. */
export function readKafkaRecord<T>(
  { value }: Pick<KafkaRecord, 'value'>,
  schema: z.ZodType<T>,
  { maxBytes }: { readonly maxBytes: number },
): KafkaReading<T> {
  if (value === null) return { ok: false, json: undefined, reason: 'not-json', problem: 'the message has no value' };
  let json: JsonValue;
  try {
    json = parseStrictJson(value, { maxBytes });
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    const reason = error.code === 'INPUT_TOO_LARGE' ? 'too-large' : 'not-json';
    return { ok: false, json: undefined, reason, problem: messageOf(error) };
  }
  const version = isObject(json) ? json.schema_version : undefined;
  if (typeof version === 'number' && version !== KNOWN_SCHEMA_VERSION) {
    const problem = `schema_version ${version} is not known, only ${KNOWN_SCHEMA_VERSION} is`;
    return { ok: false, json, reason: 'unknown-schema-version', problem };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const broken = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  return { ok: false, json, reason: 'wrong-shape', problem: broken.slice(0, MOST_PROBLEM_CHARACTERS) };
}

function isObject(json: JsonValue): json is { readonly [name: string]: JsonValue } {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** The same message as it is laid into a dead-letter topic. */
export function unreadableOf(
  record: KafkaRecord,
  { reason, problem }: Problem,
  options: { readonly movedBy: string; readonly nowMs: number /** Of the letter. */; readonly maxMessageBytes: number },
): UnreadableMessage {
  const { topic, partition, offset, timestamp } = record;
  const value = record.value ?? Buffer.alloc(0);
  const { movedBy, nowMs, maxMessageBytes } = options;
  const mostKept = Math.min(MOST_KEPT_BYTES, maxMessageBytes * KEPT_SHARE);
  const writtenMs = Number(timestamp);
  return {
    kind: 'unreadable',
    reason,
    problem: problem.slice(0, MOST_PROBLEM_CHARACTERS),
    source: { topic, partition, offset, timestamp: Number.isSafeInteger(writtenMs) && writtenMs >= 0 ? writtenMs : 0 },
    key: record.key === null ? null : record.key.toString('utf8').toWellFormed().slice(0, 1_024),
    bytes: value.length,
    sha256: createHash('sha256').update(value).digest('hex'),
    value: value.length <= mostKept ? value.toString('base64') : null,
    moved_at: nowMs,
    moved_by: movedBy,
    schema_version: 1,
  };
}
