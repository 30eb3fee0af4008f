import { readFileSync } from 'node:fs';
import { messageOf } from '@neural-hive/security/common';
import { type SetupParameters, setupParameters } from '@neural-hive/vault-setup';
import { z } from 'zod';
import { ClusterError } from './cluster-error.ts';

const text = z.string().min(1);
const duration = z.string().regex(/^(\d+(ms|s|m|h))+$/);

/** A device that the API enables. OpenBao declares its own in its configuration. */
const auditDevice = z.strictObject({ path: text, type: z.literal('file'), options: z.record(z.string(), z.string()) });

const cluster = z.strictObject({
  /** Every server by a name of its own. */
  servers: z.array(z.url({ protocol: /^https?$/ })).min(1),
  /** Whichever of them is ready. */
  address: z.url({ protocol: /^https?$/ }),
  /** File with their certificate authority. Default: the system's. */
  ca: text.optional(),
  autopilot: z.strictObject({
    cleanup_dead_servers: z.boolean(),
    dead_server_last_contact_threshold: duration,
    last_contact_threshold: duration,
    max_trailing_logs: z.int().positive(),
    min_quorum: z.int().positive(),
    server_stabilization_time: duration,
  }),
  auditDevices: z.array(auditDevice).default([]),
  /** The service account that may read snapshots. */
  snapshotAccount: z.strictObject({ namespace: text, name: text }).optional(),
});

const init = z.strictObject({
  recoveryShares: z.int().min(1).max(255),
  recoveryThreshold: z.int().min(1).max(255),
  revokeRootToken: z.boolean(),
  /** Names or ARNs in Secrets Manager. */
  secrets: z.strictObject({ recoveryKeys: text, rootToken: text }),
  /** A Kubernetes Secret that only the holder of the private key can open. */
  fallback: z.strictObject({ namespace: text, secretName: text, publicKey: text }).optional(),
});

const snapshot = z.strictObject({ bucket: text, prefix: text });

/** `settings.json` of the chart: no secret is in it. */
export const settingsSchema = z.strictObject({
  cluster,
  init: init.optional(),
  snapshot: snapshot.optional(),
  /** Of the platform's setup; secrets come from a file of their own. */
  parameters: z.record(z.string(), z.unknown()),
});

export type ClusterSettings = z.infer<typeof cluster>;
export type InitSettings = z.infer<typeof init>;
export type AuditDevice = z.infer<typeof auditDevice>;

export interface Settings extends Omit<z.infer<typeof settingsSchema>, 'parameters'> {
  readonly parameters: SetupParameters;
}

/** Reads the chart's settings, with the parameters that are secret laid over those that are not. */
export function readSettings(path: string, secretParametersPath?: string): Settings {
  const settings = parsed(settingsSchema, readJson(path), path);
  const secret = secretParametersPath === undefined ? {} : readJson(secretParametersPath);
  const parameters = parsed(setupParameters, laidOver(settings.parameters, secret), secretParametersPath ?? path);
  return { ...settings, parameters };
}

function readJson(path: string): unknown {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ClusterError('settings_invalid', `Reading ${path}: ${messageOf(cause)}`, { cause });
  }
  try {
    return JSON.parse(content);
  } catch {
    // The parser's message quotes the file, which may hold secrets.
    throw new ClusterError('settings_invalid', `Reading ${path}: it is not JSON`);
  }
}

function parsed<T extends z.ZodType>(schema: T, value: unknown, path: string): z.infer<T> {
  const result = schema.safeParse(value);
  if (!result.success) throw new ClusterError('settings_invalid', `Reading ${path}:\n${z.prettifyError(result.error)}`);
  return result.data;
}

/** Objects field by field, everything else as a whole. */
export function laidOver(below: unknown, above: unknown): unknown {
  const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isFields(below) || !isFields(above)) return above;
  const fields: Record<string, unknown> = { ...below };
  for (const [name, value] of Object.entries(above)) {
    fields[name] = Object.hasOwn(below, name) ? laidOver(below[name], value) : value;
  }
  return fields;
}
