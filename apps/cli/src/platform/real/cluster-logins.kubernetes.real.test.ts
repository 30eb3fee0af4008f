import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AUDIENCES, WORKLOAD_NAMES } from '@neural-hive/contracts';
import { expect, test } from 'vitest';
import { locateHome } from '../home.ts';
import { chooseUsers } from '../users.ts';
import { startClusterLogins } from './cluster-logins.ts';

test('tokens are replaced in their files while nobody else can read them', { timeout: 300_000 }, async () => {
  const data = mkdtempSync(join(tmpdir(), 'logins-'));
  const root = process.getuid?.() === 0;
  const home = { ...locateHome({ root, data }), run: data };
  const { KUBERNETES_BINARIES: kubernetes = '', ETCD_BINARY: etcd = '' } = process.env;
  const users = chooseUsers({ root, data });
  const logins = await startClusterLogins({ home, users, kubernetes, etcd, log: () => undefined });
  try {
    expect(logins.version).toMatch(/^1\.\d+\.\d+$/);
    const before = new Map(WORKLOAD_NAMES.map((name) => [name, readFileSync(logins.tokenFile(name), 'utf8')]));
    await logins.refresh();
    for (const name of WORKLOAD_NAMES) {
      const token = readFileSync(logins.tokenFile(name), 'utf8');
      expect(token).not.toBe(before.get(name));
      expect(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).toContain(AUDIENCES.vault);
      expect(statSync(logins.tokenFile(name)).mode & 0o777).toBe(0o400);
    }
  } finally {
    await logins.close();
    rmSync(data, { recursive: true, force: true });
  }
});
