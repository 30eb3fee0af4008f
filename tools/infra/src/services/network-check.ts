import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORKLOADS } from '@neural-hive/contracts';
import type { Check, CheckContext } from '../check.ts';
import { Helm } from '../helm.ts';
import { Manifests } from '../manifests.ts';
import { judgeAccess } from '../network/access-check.ts';
import { type AccessQuestion, parseAccessTable } from '../network/access-table.ts';
import type { Place } from '../network/network.ts';
import { production, ROTATION, SERVICE_NAMES, type ServiceName } from './service-charts.ts';

const TABLE = ['tools', 'infra', 'tables', 'services.tsv'];

const pod = (namespace: string, labels: Readonly<Record<string, string>> = {}): Place => ({ namespace, labels });

const own = (name: ServiceName, component: string, labels: Readonly<Record<string, string>> = {}): Place =>
  pod(WORKLOADS[name].namespace, {
    'app.kubernetes.io/name': name,
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/component': component,
    ...labels,
  });

const SERVICES = Object.fromEntries(SERVICE_NAMES.map((name) => [name, own(name, 'service')]));
const TESTS = Object.fromEntries(SERVICE_NAMES.map((name) => [`test of ${name}`, own(name, 'test')]));
const ROTATOR = {
  rotation: own('orchestrator-dynamic', 'rotation', { 'neural-hive/rotates': 'orchestrator-kafka' }),
};
const MIGRATION = { migration: own('orchestrator-dynamic', 'migration') };
const VAULT = pod('vault', { 'app.kubernetes.io/name': 'vault', 'app.kubernetes.io/component': 'server' });

/** Everybody who might call a service, and whom the services might call. */
const QUESTION: AccessQuestion = {
  callers: {
    ...SERVICES,
    ...TESTS,
    ...ROTATOR,
    ...MIGRATION,
    prometheus: pod('monitoring', { 'app.kubernetes.io/name': 'prometheus' }),
    ingress: pod('ingress-nginx', { 'app.kubernetes.io/name': 'ingress-nginx' }),
    'another pod of orchestration': pod('neural-hive-orchestration', { app: 'other' }),
    'a pod in default': pod('default'),
    world: { ip: '203.0.113.7' },
  },
  called: {
    'orchestrator-dynamic': { place: own('orchestrator-dynamic', 'service'), ports: ['8000', '9090', '9443'] },
    'worker-agents': { place: own('worker-agents', 'service'), ports: ['9090', '9443'] },
    'service-registry': { place: own('service-registry', 'service'), ports: ['50051', '9090', '9443'] },
    vault: { place: VAULT, ports: ['8200', '8201'] },
    'cluster DNS': { place: pod('kube-system', { 'k8s-app': 'kube-dns' }), ports: ['53/UDP', '53/TCP'] },
    'node-local DNS': { place: { ip: '169.254.20.10' }, ports: ['53/UDP', '53/TCP'] },
    database: { place: { ip: '10.1.2.3' }, ports: ['5432'] },
    redis: { place: { ip: '10.1.4.5' }, ports: ['6379'] },
    kafka: { place: pod('kafka'), ports: ['9093'] },
    'API server': { place: { ip: '10.0.0.10' }, ports: ['443'] },
    'instance metadata': { place: { ip: '169.254.169.254' }, ports: ['80'] },
    world: { place: { ip: '203.0.113.7' }, ports: ['443'] },
  },
  ours: [...Object.keys(SERVICES), ...Object.keys(TESTS), ...Object.keys(ROTATOR), ...Object.keys(MIGRATION)],
};

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const helm = await Helm.open();
  const rendered = await Promise.all(
    SERVICE_NAMES.map((name) => helm.render(production(root, name, name === 'orchestrator-dynamic' ? ROTATION : {}))),
  );
  const table = parseAccessTable(readFileSync(join(root, ...TABLE), 'utf8'));
  progress(`services: ${table.length} rows`);
  const manifests = new Manifests(rendered.flatMap(({ all }) => all));
  judgeAccess('services', manifests, { question: QUESTION, table }, report);
}

export const serviceNetworkCheck: Check = {
  name: 'service-network',
  what: 'who reaches whom by the services’ network policies, against a committed table; each rule is needed',
  run,
};
