import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check, CheckContext } from '../check.ts';
import { Helm } from '../helm.ts';
import { judgeAccess } from '../network/access-check.ts';
import { parseAccessTable } from '../network/access-table.ts';
import { production } from './installation.ts';
import { VAULT_QUESTION } from './network-question.ts';
import { ALL_FEATURES } from './variants.ts';

const TABLES = [
  { name: 'vault-production', values: {} },
  { name: 'vault-every-feature', values: ALL_FEATURES },
] as const;

export function accessTablePath(root: string, name: string): string {
  return join(root, 'tools', 'infra', 'tables', `${name}.tsv`);
}

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const helm = await Helm.open();
  for (const { name, values } of TABLES) {
    const manifests = await helm.render(production(root, values));
    const table = parseAccessTable(readFileSync(accessTablePath(root, name), 'utf8'));
    progress(`${name}: ${table.length} rows`);
    judgeAccess(name, manifests, { question: VAULT_QUESTION, table }, report);
  }
}

export const vaultNetworkCheck: Check = {
  name: 'vault-network',
  what: 'who reaches whom by the Vault chart’s network policies, against a committed table; each rule is needed',
  run,
};
