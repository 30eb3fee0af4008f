import { readFileSync } from 'node:fs';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { type OpenBaoServer, startOpenBao } from '@neural-hive/real-stack';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { afterAll, beforeAll } from 'vitest';
import { applySetupWithPostgres } from '../testing/apply-setup-with-postgres.ts';
import { describeRotationPolicies, type PolicyTarget } from '../testing/rotation-policies.ts';

let bao: OpenBaoServer;
let postgres: EmbeddedPostgres;
let target: PolicyTarget;

beforeAll(async () => {
  [bao, postgres] = await Promise.all([startOpenBao({ tls: true }), startPostgres({ database: 'neural_hive' })]);
  const { address, rootToken: token, caFile } = bao;
  const ca = readFileSync(caFile, 'utf8');
  const root = await VaultClient.open({ address, ca, auth: tokenAuth({ token }) });
  await applySetupWithPostgres(root, postgres, {});
  target = { address, ca, root };
}, 180_000);

afterAll(async () => {
  await target?.root.close();
  await Promise.all([bao?.stop(), postgres?.stop()]);
});

describeRotationPolicies(() => target);
