import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Check, CheckContext, Report } from '../check.ts';
import { Helm, type RenderOptions } from '../helm.ts';
import { judgeCoverage } from '../refusal-coverage.ts';
import { judgeRules, type Rule } from '../rule.ts';
import { REFUSALS, UMBRELLA_REFUSALS } from './refusals.ts';
import { MIGRATION_RULES, ROTATION_RULES } from './rules/jobs.ts';
import { objectRules, scalingRules, singleRules } from './rules/objects.ts';
import { podRules } from './rules/pod.ts';
import { identityRules, vaultRules } from './rules/security.ts';
import { UMBRELLA_RULES } from './rules/umbrella.ts';
import { agentRules, hostPathRules } from './rules/variants.ts';
import {
  development,
  JOURNAL,
  production,
  ROTATION,
  SERVICE_NAMES,
  type ServiceName,
  serviceChart,
  umbrella,
} from './service-charts.ts';
import { schemas } from './values-schema.ts';

const HOST_PATH = { spire: { socket: 'hostPath' }, podSecurity: 'privileged' };
const AGENT = { vault: { mode: 'agent' } };
interface Table {
  readonly name: string;
  readonly options: RenderOptions;
  readonly rules: readonly Rule[];
}

function tablesOf(root: string, name: ServiceName): readonly Table[] {
  const base = [
    ...[...podRules(name), ...objectRules(name), ...scalingRules(name), ...vaultRules(name)],
    ...identityRules(name, name === 'service-registry' ? 'socket' : 'all'),
  ];
  return [
    { name: `${name}, production`, options: production(root, name), rules: base },
    { name: `${name}, hostPath`, options: production(root, name, HOST_PATH), rules: hostPathRules(name) },
    { name: `${name}, injected`, options: production(root, name, AGENT), rules: agentRules(name) },
  ];
}

async function judgeRefusals(helm: Helm, root: string, report: Report): Promise<void> {
  const answers: string[] = [];
  for (const { chart, values, namespace, says } of REFUSALS) {
    const options = production(root, chart, values);
    const refusal = await helm.refusal(namespace === undefined ? options : { ...options, namespace });
    answers.push(refusal ?? '');
    const point = `${chart} refuses ${JSON.stringify(values)}`;
    if (refusal === undefined) report.failed(point, 'it was rendered');
    else if (says.test(refusal)) report.passed(point);
    else report.failed(point, `it says: ${refusal}`);
  }
  for (const [values, says] of UMBRELLA_REFUSALS) {
    const refusal = await helm.refusal(umbrella(root, 'prod', values));
    const point = `neural-hive refuses ${JSON.stringify(values)}`;
    if (refusal !== undefined && says.test(refusal)) report.passed(point);
    else report.failed(point, `it says: ${refusal}`);
  }
  const folders = [...SERVICE_NAMES, 'service-library'].map((name) => join(serviceChart(root, name), 'templates'));
  judgeCoverage(folders, answers, report);
}

/** What is written by a program is as that program writes it now. */
function judgeSchemas(root: string, report: Report): void {
  for (const [name, schema] of Object.entries(schemas(root))) {
    const file = join(serviceChart(root, name), 'values.schema.json');
    const committed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isDeepStrictEqual(committed, JSON.parse(JSON.stringify(schema)))) report.passed(`schema of ${name}`);
    else report.failed(`schema of ${name}`, 'is old: run node tools/infra/dist/services/write-schemas.js');
  }
}

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const helm = await Helm.open();
  judgeSchemas(root, report);
  const tables = [
    ...SERVICE_NAMES.flatMap((name) => tablesOf(root, name)),
    {
      ...{ name: 'service-registry, journal', options: production(root, 'service-registry', JOURNAL) },
      rules: singleRules('service-registry'),
    },
    { name: 'migration', options: production(root, 'orchestrator-dynamic'), rules: MIGRATION_RULES },
    {
      ...{ name: 'rotation', options: production(root, 'orchestrator-dynamic', ROTATION), rules: ROTATION_RULES },
    },
    { name: 'umbrella', options: umbrella(root, 'prod'), rules: UMBRELLA_RULES },
  ];
  for (const { name, options, rules } of tables) {
    progress(`${name}: ${rules.length} rules`);
    judgeRules(rules, await helm.render(options), report);
  }
  const linted = [
    ...SERVICE_NAMES.flatMap((name) => [production(root, name), development(root, name)]),
    ...[umbrella(root, 'prod'), umbrella(root, 'dev')],
  ];
  for (const options of linted) {
    const complaint = await helm.lint(options);
    const point = `lint ${options.release} with ${options.valueFiles?.join(', ')}`;
    if (complaint === undefined) report.passed(point);
    else report.failed(point, complaint);
  }
  await judgeRefusals(helm, root, report);
}

export const serviceChartsCheck: Check = {
  name: 'service-charts',
  what: 'the charts of the services and the umbrella: rules on what they render, each mutated; values they refuse',
  run,
};
