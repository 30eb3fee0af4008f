import type { Check, CheckContext } from '../check.ts';
import { Helm, type RenderOptions } from '../helm.ts';
import { judgeRules, type Rule } from '../rule.ts';
import { withChartFiles } from './chart-files.ts';
import { development, production, vaultChart } from './installation.ts';
import { judgeRefusals } from './refusals.ts';
import { AUTO_TLS_RULES, INJECTOR_RULES } from './rules/injector.ts';
import { FALLBACK_RULES, JOB_RULES } from './rules/jobs.ts';
import { NETWORK_RULES } from './rules/network.ts';
import { PACKAGING_RULES } from './rules/packaging.ts';
import { PROCESS_RULES } from './rules/process.ts';
import { OPEN_BAO_RULES } from './rules/products.ts';
import { IMAGE_RULES, SECURITY_RULES } from './rules/security.ts';
import { PROJECTED_IDENTITY_RULES, STORAGE_RULES } from './rules/storage.ts';
import { TELEMETRY_RULES } from './rules/telemetry.ts';
import { TLS_RULES } from './rules/tls.ts';
import { TOPOLOGY_RULES } from './rules/topology.ts';
import { ALL_FEATURES, DIGESTS, FALLBACK, OPEN_BAO } from './variants.ts';

const POINTS = 44;

interface Table {
  readonly name: string;
  readonly options: RenderOptions;
  readonly rules: readonly Rule[];
}

function tables(root: string): readonly Table[] {
  return [
    {
      name: 'production',
      options: production(root),
      rules: [
        ...TOPOLOGY_RULES,
        ...PROCESS_RULES,
        ...SECURITY_RULES,
        ...TLS_RULES,
        ...STORAGE_RULES,
        ...JOB_RULES,
        ...TELEMETRY_RULES,
        ...INJECTOR_RULES,
        ...NETWORK_RULES,
        ...PACKAGING_RULES,
      ],
    },
    { name: 'auto TLS', options: production(root, { injector: { tls: { mode: 'auto' } } }), rules: AUTO_TLS_RULES },
    { name: 'digests', options: production(root, DIGESTS), rules: IMAGE_RULES },
    {
      name: 'projected identity',
      options: production(root, { aws: { webIdentity: 'projected' } }),
      rules: PROJECTED_IDENTITY_RULES,
    },
    { name: 'fallback', options: production(root, FALLBACK), rules: FALLBACK_RULES },
    { name: 'OpenBao', options: production(root, OPEN_BAO), rules: OPEN_BAO_RULES },
  ];
}

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const helm = await Helm.open();
  const chart = vaultChart(root);
  for (const [name, options] of [
    ['production', production(root)],
    ['development', development(root)],
    ['every feature', production(root, ALL_FEATURES)],
  ] as const) {
    const complaint = await helm.lint(options);
    if (complaint === undefined) report.passed(`lint ${name}`);
    else report.failed(`lint ${name}`, complaint);
  }
  const judged: string[] = [];
  for (const { name, options, rules } of tables(root)) {
    progress(`${name}: ${rules.length} rules`);
    judgeRules(rules, withChartFiles(await helm.render(options), chart), report);
    judged.push(...rules.map(({ id }) => id));
  }
  for (let point = 1; point <= POINTS; point += 1) {
    const covered = judged.some((id) => id === `vault-${point}` || id.startsWith(`vault-${point}-`));
    if (covered) report.passed(`point ${point}`);
    else report.failed(`point ${point}`, 'no rule is about it');
  }
  await judgeRefusals(helm, root, report);
}

export const vaultChartCheck: Check = {
  name: 'vault-chart',
  what: 'the 44 points of the Vault chart on what it renders, each mutated; lint; values it has to refuse',
  run,
};
