import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { applyVaultSetup, EMBEDDED_LIFETIMES, platformSetup } from '@neural-hive/vault-setup';
import type { TicketDatabase } from './database.ts';

export interface TestAuthority {
  readonly authority: DevAuthority;
  /** With every right. */
  readonly root: VaultClient;
  /** A client with the rights of this policy only. */
  clientOf(policy: string): Promise<VaultClient>;
  stop(): Promise<void>;
}

/** A dev authority with the platform's policies, roles and engines, whose database engine makes logins on `server`. */
export async function startTestAuthority(
  server: TicketDatabase,
  options: Pick<Parameters<typeof DevAuthority.open>[0], 'workloads'> = {},
): Promise<TestAuthority> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'nh-authority-'));
  const authority = await DevAuthority.open({ stateFolder, ...options });
  const { address, caPem: ca, rootToken } = authority;
  const root = await VaultClient.open({ address, ca, auth: tokenAuth({ token: rootToken }) });
  const { host, port, database } = server.superuser;
  const setup = platformSetup({
    lifetimes: EMBEDDED_LIFETIMES,
    jwt: { provider: 'spiffe' },
    postgres: {
      url: `host=${host} port=${port} dbname=${database} user={{username}} password={{password}}`,
      ...server.vaultAdmin,
    },
  });
  await applyVaultSetup(root, setup);
  const clients: VaultClient[] = [];
  return {
    authority,
    root,
    clientOf: async (policy) => {
      const path = 'auth/token/create';
      const { auth } = await root.request({ method: 'POST', path, body: { policies: [policy], ttl: '90s' } });
      const client = await VaultClient.open({ address, ca, auth: tokenAuth({ token: auth?.token.reveal() ?? '' }) });
      clients.push(client);
      return client;
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await root.close();
      await authority.close();
      rmSync(stateFolder, { recursive: true, force: true });
    },
  };
}
