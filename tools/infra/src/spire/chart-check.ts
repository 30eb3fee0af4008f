import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@neural-hive/security/common';
import type { Check, Report } from '../check.ts';
import { Helm } from '../helm.ts';
import { judgeCoverage } from '../refusal-coverage.ts';
import { judgeRules, type Rule } from '../rule.ts';
import { REFUSALS } from './refusals.ts';
import { RENDERINGS, type Rendering, rendering } from './renderings.ts';
import { AGENT_RULES } from './rules/agent.ts';
import { AGENT_ATTESTATION_RULES } from './rules/agent-attestation.ts';
import { HOST_NETWORK_RULES, OPTIONAL_AGENT_RULES } from './rules/agent-options.ts';
import { ENTRY_RULES, OPTIONAL_ENTRY_RULES } from './rules/entries.ts';
import { HOST_NETWORK_POLICY_RULES, NETWORK_RULES } from './rules/network.ts';
import { OIDC_RULES } from './rules/oidc.ts';
import { BARE_RULES, DEV_RULES, PACKAGING_RULES } from './rules/packaging.ts';
import { SERVER_RULES } from './rules/server.ts';
import { DISK_RULES, OPTIONAL_SERVER_RULES } from './rules/server-options.ts';
import { PLUGIN_RULES } from './rules/server-plugins.ts';

/** The rules for each way to install the chart. */
export const RULES: Readonly<Record<Rendering, readonly Rule[]>> = {
  prod: [
    ...SERVER_RULES,
    ...PLUGIN_RULES,
    ...AGENT_RULES,
    ...AGENT_ATTESTATION_RULES,
    ...ENTRY_RULES,
    ...OIDC_RULES,
    ...NETWORK_RULES,
    ...PACKAGING_RULES,
  ],
  full: [...OPTIONAL_SERVER_RULES, ...OPTIONAL_AGENT_RULES, ...OPTIONAL_ENTRY_RULES],
  hostNetwork: [...HOST_NETWORK_RULES, ...HOST_NETWORK_POLICY_RULES],
  disk: DISK_RULES,
  dev: DEV_RULES,
  bare: BARE_RULES,
};

/** Point 42: what an operator has to know before an upgrade, in the chart's README. */
const UPGRADE_NOTES: readonly RegExp[] = [
  /one minor version at a time/,
  /servers before agents/,
  /back up the database/i,
  /kubectl -n spire rollout status statefulset\/spire-server/,
  /claim/,
];

async function judgeRefusals(helm: Helm, root: string, report: Report): Promise<void> {
  const answers: string[] = [];
  for (const { what, values, over = 'prod', says } of REFUSALS) {
    const refusal = await helm.refusal(rendering(root, over, values));
    answers.push(refusal ?? '');
    const unsaid = says.find((text) => !refusal?.includes(text));
    if (refusal === undefined) report.failed(`refused: ${what}`, 'it was rendered');
    else if (unsaid !== undefined) report.failed(`refused: ${what}`, `"${unsaid}" is not in: ${refusal}`);
    else report.passed(what);
  }
  judgeCoverage([join(root, 'helm-charts', 'spire')], answers, report);
}

export const spireChartCheck: Check = {
  name: 'spire-chart',
  what: 'the chart of SPIRE: its 42 points and their mutations, and the values that it refuses',
  run: async ({ root, report }) => {
    const helm = await Helm.open();
    for (const name of RENDERINGS) {
      const options = rendering(root, name);
      const complaint = await helm.lint(options);
      if (complaint === undefined) report.passed(`lint ${name}`);
      else report.failed(`lint ${name}`, complaint);
      try {
        judgeRules(RULES[name], await helm.render(options), report);
      } catch (error) {
        report.failed(`render ${name}`, messageOf(error));
      }
    }
    await judgeRefusals(helm, root, report);
    const readme = readFileSync(join(root, 'helm-charts', 'spire', 'README.md'), 'utf8');
    for (const note of UPGRADE_NOTES) {
      if (note.test(readme)) report.passed(`spire-42 ${String(note)}`);
      else report.failed('spire-42', `helm-charts/spire/README.md does not say ${String(note)}`);
    }
  },
};
