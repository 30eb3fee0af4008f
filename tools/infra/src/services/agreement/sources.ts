import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AGENT_SOCKET,
  AUDIENCES,
  SPIFFE_IDS,
  SPIFFE_ISSUER,
  TRUST_DOMAIN,
  WORKLOADS,
  workloadSpiffeId,
} from '@neural-hive/contracts';
import { PRODUCTION_LIFETIMES, platformSetup } from '@neural-hive/vault-setup';
import { Helm } from '../../helm.ts';
import { type Manifest, Manifests } from '../../manifests.ts';
import { rendering } from '../../spire/renderings.ts';
import { moduleOutline } from '../../terraform/module-docs.ts';
import { production as vaultProduction } from '../../vault/installation.ts';
import {
  overlaid,
  PEERS_OF_WORKERS,
  PRODUCTION_ENGINE,
  production,
  ROTATION,
  SERVICE_NAMES,
  type ServiceName,
  type Values,
} from '../service-charts.ts';
import { PROGRAMS, variablesOf } from './code-environment.ts';

/** What is no Kubernetes object stands among them under a kind of its own, so that one set of rules judges all. */
const source = (kind: string, name: string, fields: Readonly<Record<string, unknown>>): Manifest => ({
  ...fields,
  ...{ apiVersion: 'neural-hive.local/v1', kind, metadata: { name } },
});

function contracts(): Manifest {
  const workloads = Object.fromEntries(
    SERVICE_NAMES.map((name) => [name, { ...WORKLOADS[name], spiffeId: workloadSpiffeId(name) }]),
  );
  const fields = { trustDomain: TRUST_DOMAIN, issuer: SPIFFE_ISSUER, socket: AGENT_SOCKET, audiences: AUDIENCES };
  return source('Contracts', 'contracts', { ...fields, workloads });
}

/** Roles and policies by name. */
function vaultSetup(): Manifest {
  const { policies, authMethods } = platformSetup({
    lifetimes: PRODUCTION_LIFETIMES,
    jwt: { jwksUrl: `${SPIFFE_ISSUER}/keys` },
    kubernetes: { host: 'https://kubernetes.default.svc' },
  });
  const roles = authMethods.map(({ path, entries }) => [
    path,
    Object.fromEntries(
      entries
        .filter((entry) => entry.path.startsWith('role/'))
        .map((entry) => [entry.path.replace('role/', ''), entry.fields]),
    ),
  ]);
  return source('VaultSetup', 'vault-setup', {
    roles: Object.fromEntries(roles) as unknown,
    policies: Object.fromEntries(policies.map(({ name, rules }) => [name, { rules }])),
  });
}

function terraform(root: string): Manifest {
  const folder = join(root, 'infrastructure', 'terraform');
  const main = readFileSync(join(folder, 'modules', 'vault-ha', 'main.tf'), 'utf8');
  const accounts = /service_accounts = concat\((.*)\)$/m.exec(main)?.[1] ?? '';
  const variables = moduleOutline(join(folder, 'modules', 'vault-ha')).variables;
  return source('Terraform', 'terraform', {
    serviceAccounts: [...accounts.matchAll(/"([a-z-]+)"/g)].map(([, name]) => name),
    namespace: JSON.parse(variables.find(({ name }) => name === 'namespace')?.default ?? '""') as string,
    outputs: moduleOutline(folder).outputs.map(({ name }) => name),
  });
}

const GUIDE = 'docs/guides/deploy-on-eks.md';
const TEXTS = [
  GUIDE,
  'infrastructure/terraform/README.md',
  'helm-charts/vault/values.yaml',
  'helm-charts/vault/README.md',
];

/** Every value that is empty unless somebody needs it, so that each variable is given. */
const OPTIONAL: Values = { vault: { namespace: 'team', authMount: 'kubernetes' }, extraCa: { configMap: 'rds-ca' } };
const OPTIONAL_OF: Readonly<Record<ServiceName, Values>> = {
  'orchestrator-dynamic': overlaid(overlaid(overlaid(OPTIONAL, ROTATION), PRODUCTION_ENGINE), {
    settings: Object.fromEntries(
      ['SUBMITTERS', 'APPROVERS', 'CANCELLERS', 'READERS'].map((who) => [`API_${who}`, SPIFFE_IDS.operator]),
    ),
  }),
  'worker-agents': overlaid(OPTIONAL, {
    programs: { configMap: 'programs' },
    ...PEERS_OF_WORKERS,
    settings: { CAPABILITIES: 'gpu', HEARTBEAT_INTERVAL_SECONDS: '10', ...PEERS_OF_WORKERS.settings },
  }),
  'service-registry': overlaid(OPTIONAL, { redis: { ca: { configMap: 'redis-ca' } } }),
};

/** Everything that has to agree: the rendered charts of production, the contracts, Vault's setup, Terraform and the code. */
export async function sources(root: string): Promise<Manifests> {
  const helm = await Helm.open();
  const charts = await Promise.all([
    ...SERVICE_NAMES.map((name) => helm.render(production(root, name, OPTIONAL_OF[name]))),
    helm.render(vaultProduction(root)),
    helm.render(rendering(root, 'prod')),
  ]);
  return new Manifests([
    ...charts.flatMap(({ all }) => all),
    contracts(),
    vaultSetup(),
    terraform(root),
    ...PROGRAMS.map((name) => source('Code', name, { reads: variablesOf(root, name) })),
    ...TEXTS.map((file) => source('Text', file, { text: readFileSync(join(root, file), 'utf8') })),
  ]);
}

/** The same, with the services in the mode in which an agent is injected. */
export async function injectedSources(root: string): Promise<Manifests> {
  const helm = await Helm.open();
  const charts = await Promise.all(
    SERVICE_NAMES.map((name) =>
      helm.render(production(root, name, overlaid(OPTIONAL_OF[name], { vault: { mode: 'agent' } }))),
    ),
  );
  const code = SERVICE_NAMES.map((name) => source('Code', name, { reads: variablesOf(root, name) }));
  return new Manifests([...charts.flatMap(({ all }) => all), contracts(), vaultSetup(), ...code]);
}
