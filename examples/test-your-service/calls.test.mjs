import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { httpsServer, spiffeAgent } from '@neural-hive/security/http';
import { matchId } from '@neural-hive/security/spiffe';
import { CertificateAuthority, FixedIdentity } from '@neural-hive/security/testing';
import { peerSpiffeId } from '@neural-hive/security/tls';
import { request } from 'undici';

const authority = CertificateAuthority.create('example.org');
const identity = FixedIdentity.issue(authority, 'spiffe://example.org/api');
const server = httpsServer({ identity, authorize: matchId('spiffe://example.org/web') }, (call, reply) => {
  reply.end(`hello ${peerSpiffeId(call.socket)}`);
});

before(() => once(server.listen(0, '127.0.0.1'), 'listening'));
after(() => {
  server.closeAllConnections();
  server.close();
});

async function callAs(caller) {
  const dispatcher = spiffeAgent({ identity: caller, authorize: matchId('spiffe://example.org/api') });
  try {
    return await (await request(`https://127.0.0.1:${server.address().port}/`, { dispatcher })).body.text();
  } finally {
    await dispatcher.destroy();
  }
}

test('the web may call', async () => {
  const web = FixedIdentity.issue(authority, 'spiffe://example.org/web');
  assert.equal(await callAs(web), 'hello spiffe://example.org/web');
});

test('nobody else may, not even under the same name from another authority', async () => {
  await assert.rejects(callAs(FixedIdentity.issue(authority, 'spiffe://example.org/stranger')));
  const imposter = CertificateAuthority.create('example.org');
  await assert.rejects(callAs(FixedIdentity.issue(imposter, 'spiffe://example.org/web', [authority.bundle()])));
});

test('a withdrawn identity calls nobody', async () => {
  const web = FixedIdentity.issue(authority, 'spiffe://example.org/web');
  web.setX509Svid(undefined);
  await assert.rejects(callAs(web), { code: 'SVID_WITHDRAWN' });
});
