import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AUDIENCES, SPIFFE_IDS } from '@neural-hive/contracts';
import { CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '@neural-hive/security/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openIdentity } from './identity.ts';

let folder: string;
let issuer: WorkloadIssuer;
let agent: WorkloadApiServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'identity-'));
  issuer = new WorkloadIssuer({ authority: CertificateAuthority.create('neural-hive.local') });
  agent = await WorkloadApiServer.listen({ issuer, path: join(folder, 'agent.sock'), ids: [SPIFFE_IDS.registry] });
});
afterEach(async () => {
  await agent.close();
  issuer.close();
  await rm(folder, { recursive: true, force: true });
});

test('a service has its certificate and its tokens from one agent, and closes twice', async () => {
  const identity = await openIdentity({ endpoint: agent.endpoint });
  expect(identity.x509.getX509Svid().id.toString()).toBe(SPIFFE_IDS.registry);
  const token = await identity.jwt.fetchJwtSvid({ audience: AUDIENCES.orchestrator });
  expect(token.id.toString()).toBe(SPIFFE_IDS.registry);
  await identity.close();
  await identity.close();
  expect(() => identity.x509.getX509Svid()).toThrow();
});

test('a service without an identity does not open', async () => {
  agent.setIds([]);
  const opening = openIdentity({ endpoint: agent.endpoint, signal: AbortSignal.timeout(300) });
  await expect(opening).rejects.toThrow();
});
