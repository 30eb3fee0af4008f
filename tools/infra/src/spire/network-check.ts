import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check } from '../check.ts';
import { Helm } from '../helm.ts';
import { judgeAccess } from '../network/access-check.ts';
import { parseAccessTable } from '../network/access-table.ts';
import { ON_A_NODE, spireQuestion } from './network-question.ts';
import { rendering } from './renderings.ts';

const TABLES = [
  { name: 'spire-production', of: 'prod', question: spireQuestion() },
  { name: 'spire-every-feature', of: 'full', question: spireQuestion() },
  { name: 'spire-host-network', of: 'hostNetwork', question: spireQuestion(ON_A_NODE) },
] as const;

export const spireNetworkCheck: Check = {
  name: 'spire-network',
  what: 'who reaches whom by the SPIRE chart’s network policies, against committed tables; each rule is needed',
  run: async ({ root, report, progress }) => {
    const helm = await Helm.open();
    for (const { name, of, question } of TABLES) {
      const manifests = await helm.render(rendering(root, of));
      const table = parseAccessTable(readFileSync(join(root, 'tools', 'infra', 'tables', `${name}.tsv`), 'utf8'));
      progress(`${name}: ${table.length} rows`);
      judgeAccess(name, manifests, { question, table }, report);
    }
  },
};
