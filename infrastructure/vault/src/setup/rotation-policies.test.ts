import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { afterAll, beforeAll } from 'vitest';
import { applySetupWithPostgres } from '../testing/apply-setup-with-postgres.ts';
import { describeRotationPolicies, type PolicyTarget } from '../testing/rotation-policies.ts';

let folder: string;
let authority: DevAuthority;
let postgres: EmbeddedPostgres;
let target: PolicyTarget;

beforeAll(async () => {
  folder = mkdtempSync('/tmp/setup-');
  chmodSync(folder, 0o700);
  [authority, postgres] = await Promise.all([
    DevAuthority.open({ stateFolder: join(folder, 'state') }),
    startPostgres({ database: 'neural_hive' }),
  ]);
  const { address, caPem: ca, rootToken: token } = authority;
  const root = await VaultClient.open({ address, ca, auth: tokenAuth({ token }) });
  await applySetupWithPostgres(root, postgres, { jwt: { provider: 'spiffe' } });
  target = { address, ca, root };
}, 180_000);

afterAll(async () => {
  await target?.root.close();
  await authority?.close();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describeRotationPolicies(() => target);
