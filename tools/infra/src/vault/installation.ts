import { join } from 'node:path';
import type { RenderOptions } from '../helm.ts';

const ROLE = 'arn:aws:iam::123456789012:role/neural-hive-vault';

/** What only an installation knows, as terraform would give it. */
export const INSTALLATION = {
  aws: { region: 'us-east-1' },
  seal: { awskms: { kmsKeyId: 'alias/neural-hive-vault-unseal' } },
  server: { serviceAccount: { roleArn: `${ROLE}-server` } },
  audit: { shipper: { bucket: 'neural-hive-vault-audit-logs' } },
  init: {
    serviceAccount: { roleArn: `${ROLE}-init` },
    secrets: { recoveryKeys: 'neural-hive/vault/unseal-keys', rootToken: 'neural-hive/vault/root-token' },
  },
  snapshot: { bucket: 'neural-hive-vault-snapshots', serviceAccount: { roleArn: `${ROLE}-snapshot` } },
  networkPolicy: {
    apiServer: { cidrs: ['10.0.0.0/20', '10.0.16.0/20', '10.0.32.0/20'] },
    aws: { cidrs: ['10.0.240.0/24'] },
  },
} as const;

/** Values laid over others, objects field by field. */
export function merged(
  under: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const isFields = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const result: Record<string, unknown> = { ...under };
  for (const [name, value] of Object.entries(over)) {
    const below = result[name];
    result[name] = isFields(below) && isFields(value) ? merged(below, value) : value;
  }
  return result;
}

export function vaultChart(root: string): string {
  return join(root, 'helm-charts', 'vault');
}

/** The production profile of one installation, with values over it. */
export function production(root: string, over: Readonly<Record<string, unknown>> = {}): RenderOptions {
  const chart = vaultChart(root);
  const valueFiles = [join(chart, 'values-prod.yaml')];
  return { chart, release: 'vault', namespace: 'vault', valueFiles, values: merged(INSTALLATION, over) };
}

export function development(root: string, over: Readonly<Record<string, unknown>> = {}): RenderOptions {
  const chart = vaultChart(root);
  return { chart, release: 'vault', namespace: 'vault', valueFiles: [join(chart, 'values-dev.yaml')], values: over };
}
