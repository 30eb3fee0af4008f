import { expect, test } from 'vitest';
import { containerArguments, localised, type Place } from './loopback.ts';

const place = (name: string, api: number): Place => ({
  name,
  folder: `/t/${name}`,
  auditFolder: '/t/audit',
  api,
  cluster: api + 1,
  metrics: api + 2,
});
const places = [place('vault-0', 100), place('vault-1', 200)];
const [own] = places as [Place, Place];

test('names of servers become loopback addresses, mounted folders become folders of the run', () => {
  const text = 'address = "[::]:8200" leader = "https://vault-1.vault-internal:8200" path = "/vault/data"';
  expect(localised(text, own, places)).toBe(
    'address = "127.0.0.1:100" leader = "https://127.0.0.1:200" path = "/t/vault-0/data"',
  );
  // The name that is verified stays.
  expect(localised('leader_tls_servername = "vault-1.vault-internal"', own, places)).toContain(
    'vault-1.vault-internal',
  );
});

test('variables are expanded where they were defined before, and left as they are otherwise', () => {
  const container = {
    args: ['--prefix=audit/$(POD_NAME)', '--x=$(OTHER)'],
    env: [
      { name: 'EARLY', value: '$(POD_NAME)' },
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'ADDRESS', value: 'https://$(POD_NAME).vault-internal.vault.svc.cluster.local:8201' },
    ],
  };
  const { args, env } = containerArguments(container, own, places);
  expect(args).toEqual(['--prefix=audit/vault-0', '--x=$(OTHER)']);
  expect(env).toEqual({ EARLY: '$(POD_NAME)', POD_NAME: 'vault-0', ADDRESS: 'https://127.0.0.1:101' });
});
