import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check } from '../check.ts';
import { Helm } from '../helm.ts';
import { judgeAccess } from '../network/access-check.ts';
import { parseAccessTable } from '../network/access-table.ts';
import { SPIRE_QUESTION } from './network-question.ts';
import { rendering } from './renderings.ts';

const TABLES = [
  { name: 'spire-production', of: 'prod' },
  { name: 'spire-every-feature', of: 'full' },
  { name: 'spire-host-network', of: 'hostNetwork' },
] as const;

export const spireNetworkCheck: Check = {
  name: 'spire-network',
  what: 'who reaches whom by the SPIRE chart’s network policies, against committed tables; each rule is needed',
  run: async ({ root, report, progress }) => {
    const helm = await Helm.open();
    for (const { name, of } of TABLES) {
      const manifests = await helm.render(rendering(root, of));
      const table = parseAccessTable(readFileSync(join(root, 'tools', 'infra', 'tables', `${name}.tsv`), 'utf8'));
      progress(`${name}: ${table.length} rows`);
      judgeAccess(name, manifests, { question: SPIRE_QUESTION, table }, report);
    }
  },
};
