import { PRODUCTION_LIFETIMES, platformSetup } from '@neural-hive/vault-setup';
import { expect, test } from 'vitest';
import type { ClusterSettings } from '../settings.ts';
import { clusterSetup } from './cluster-setup.ts';

const parameters = { lifetimes: PRODUCTION_LIFETIMES, kubernetes: { host: 'https://kubernetes.default.svc' } };
const cluster = { snapshotAccount: { namespace: 'vault', name: 'vault-snapshot' } } as ClusterSettings;

test('the snapshot account may read snapshots, for minutes, and everything else is as the platform has it', () => {
  const setup = clusterSetup({ cluster, parameters });
  const platform = platformSetup(parameters);
  expect(setup.engines).toEqual(platform.engines);
  expect(setup.policies.map(({ name }) => name)).toEqual([
    ...platform.policies.map(({ name }) => name),
    'vault-snapshot',
  ]);
  const [method] = setup.authMethods;
  expect(method?.entries.at(-1)).toMatchObject({
    path: 'role/vault-snapshot',
    fields: {
      bound_service_account_names: ['vault-snapshot'],
      bound_service_account_namespaces: ['vault'],
      audience: 'vault.neural-hive.local',
      token_policies: ['vault-snapshot'],
      token_max_ttl: 600,
    },
  });
});

test('without snapshots the setup is the platform’s', () => {
  expect(clusterSetup({ cluster: {} as ClusterSettings, parameters })).toEqual(platformSetup(parameters));
});
