import { Secret } from '@neural-hive/security/common';
import { expect, test } from 'vitest';
import { keepKeys, rehearse } from './keep-keys.ts';
import type { KeptSecret, KeyStore } from './key-store.ts';
import type { NewKeys } from './new-cluster.ts';

const keys: NewKeys = {
  recoveryKeys: new Secret(['aa', 'bb']),
  recoveryKeysBase64: new Secret(['qg==', 'uw==']),
  rootToken: new Secret('hvs.root'),
};

class Store implements KeyStore {
  readonly kept = new Map<KeptSecret, unknown>();
  refusals: number;

  constructor(refusals = 0) {
    this.refusals = refusals;
  }

  async put(name: KeptSecret, value: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.refusals > 0) {
      this.refusals -= 1;
      throw new Error('AccessDeniedException');
    }
    this.kept.set(name, value);
  }
}

const options = (store: KeyStore, more: object = {}) => ({
  store,
  shares: 2,
  threshold: 1,
  fallback: undefined,
  log: () => {},
  intervalMs: 1,
  limitMs: 0,
  ...more,
});

test('recovery keys and root token are put where they belong', async () => {
  const store = new Store();
  await keepKeys(keys, options(store));
  expect(store.kept.get('recoveryKeys')).toMatchObject({ shares: 2, threshold: 1, recovery_keys: ['aa', 'bb'] });
  expect(store.kept.get('rootToken')).toEqual({ root_token: 'hvs.root' });
});

test('a store that refuses for a while is asked again', async () => {
  const store = new Store(3);
  const lines: string[] = [];
  await keepKeys(keys, options(store, { limitMs: 60_000, log: (line: string) => lines.push(line) }));
  expect(store.kept.size).toBe(2);
  expect(lines.filter((line) => line.includes('again in'))).toHaveLength(3);
  expect(lines.join('\n')).not.toMatch(/hvs\.root|aa|qg==/);
});

test('a store that goes on refusing is replaced by the fallback, with everything', async () => {
  const store = new Store(Number.POSITIVE_INFINITY);
  const fallen: unknown[] = [];
  const fallback = async (value: unknown): Promise<string> => {
    fallen.push(value);
    return 'vault-init-fallback-x';
  };
  const lines: string[] = [];
  await keepKeys(keys, options(store, { fallback, log: (line: string) => lines.push(line) }));
  expect(fallen).toEqual([
    { recoveryKeys: expect.objectContaining({ recovery_keys: ['aa', 'bb'] }), rootToken: { root_token: 'hvs.root' } },
  ]);
  expect(lines.at(-1)).toContain('vault-init-fallback-x');
});

test.each([
  ['without a fallback', undefined],
  ['with one that fails, too', () => Promise.reject(new Error('secrets is forbidden'))],
])('%s the loss is said, with what to do and no key', async (_, fallback) => {
  const failing = keepKeys(keys, options(new Store(Number.POSITIVE_INFINITY), { fallback }));
  await expect(failing).rejects.toMatchObject({ code: 'keys_lost' });
  await expect(failing).rejects.toThrow(/the cluster holds nothing yet: uninstall, delete its volumes/);
  await expect(failing).rejects.not.toThrow(/hvs\.root|qg==/);
});

test('the rehearsal puts a marker into both secrets, and a refusal stops before anything is initialised', async () => {
  const store = new Store();
  await rehearse(store);
  expect([...store.kept]).toEqual([
    ['recoveryKeys', { state: 'initialising' }],
    ['rootToken', { state: 'initialising' }],
  ]);
  await expect(rehearse(new Store(1))).rejects.toMatchObject({ code: 'store_refused' });
});
