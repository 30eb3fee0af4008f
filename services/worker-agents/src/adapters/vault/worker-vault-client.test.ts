import type { VaultClient } from '@neural-hive/security/vault';
import { expect, test } from 'vitest';
import { startTestAuthority } from '../../testing/authority.ts';
import { describeWorkerSecrets } from '../../testing/worker-secrets-contract.ts';
import { WorkerVaultClient } from './worker-vault-client.ts';

describeWorkerSecrets(startTestAuthority);

test('renewing replaces the token first, then every login that the worker holds', async () => {
  const done: string[] = [];
  const renewing = new WorkerVaultClient({
    client: { rotateToken: async (why: string) => done.push(`token ${why}`) } as unknown as VaultClient,
    metrics: { credentialsFetched: () => {} },
  });
  renewing.hold({ rotate: async (why) => done.push(`tickets ${why}`) });
  renewing.hold({ rotate: async (why) => done.push(`kafka ${why}`) });
  await renewing.renewCredentials();
  expect(done).toEqual(['token forced', 'tickets forced', 'kafka forced']);
});
