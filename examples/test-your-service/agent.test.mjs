import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { X509Source } from '@neural-hive/security/spiffe';
import { CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '@neural-hive/security/testing';

const folder = mkdtempSync(join(tmpdir(), 'agent-'));
const issuer = new WorkloadIssuer({ authority: CertificateAuthority.create('example.org') });
const faults = {}; // read anew for each call
let agent;

before(async () => {
  const ids = ['spiffe://example.org/web'];
  agent = await WorkloadApiServer.listen({ issuer, ids, path: join(folder, 'agent.sock'), faults });
});
afterEach(() => {
  delete faults.fail;
});
after(async () => {
  issuer.close();
  await agent.close();
  rmSync(folder, { recursive: true });
});

test('the service gets its identity, and the next one when the agent rotates it', async () => {
  const source = await X509Source.open({ endpoint: agent.endpoint });
  const first = source.getX509Svid();
  assert.equal(first.id.toString(), 'spiffe://example.org/web');
  const updated = new Promise((resolve) => source.onUpdate(resolve));
  issuer.rotateX509();
  await updated;
  assert.notEqual(source.getX509Svid().certificateChainPem, first.certificateChainPem);
  await source.close();
});

test('the service does not start without an identity', async () => {
  faults.fail = { code: status.PERMISSION_DENIED, details: 'no identity issued' };
  const opening = X509Source.open({ endpoint: agent.endpoint, initialSyncTimeoutMs: 500 });
  await assert.rejects(opening, { code: 'SOURCE_NOT_READY' });
});

test('the service keeps its identity when the stream breaks', async () => {
  const source = await X509Source.open({ endpoint: agent.endpoint });
  agent.dropStreams();
  assert.equal(source.getX509Svid().id.toString(), 'spiffe://example.org/web');
  await source.close();
});
