import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { TokenCache } from '../../cache/index.ts';
import { events } from '../../common/index.ts';
import { RotatingCredential } from '../../credentials/index.ts';
import { JwtSource, X509Source } from '../../spiffe/index.ts';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { answerLookup, FaultVault, reply } from '../../testing/fault-vault.ts';
import { WorkloadApiServer } from '../../testing/workload-api-server.ts';
import { WorkloadIssuer } from '../../testing/workload-issuer.ts';
import { tokenAuth, VaultClient } from '../../vault/index.ts';
import { prometheusUnderTest } from './testing/readers.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function underTest() {
  const { metrics, look } = prometheusUnderTest();
  const seen = async (name: string) => (await look()).filter((line) => line.startsWith(name));
  return { metrics, seen };
}

async function workload() {
  const clock = new FakeClock();
  const authority = CertificateAuthority.create('example.org', { clock });
  const issuer = new WorkloadIssuer({ authority, clock, x509TtlSeconds: 600, jwtTtlSeconds: 100 });
  const path = join(mkdtempSync(join(tmpdir(), 'nh-metrics-')), 'agent.sock');
  const server = await WorkloadApiServer.listen({ issuer, path, ids: ['spiffe://example.org/a'] });
  cleanups.push(
    () => issuer.close(),
    () => server.close(),
  );
  return { clock, server };
}

test("an X509-SVID's seconds count down, are 0 once the agent has denied it, and end with its source", async () => {
  const { metrics, seen } = underTest();
  const { clock, server } = await workload();
  const source = await X509Source.open({ endpoint: server.endpoint, clock, metrics: metrics.spiffe });
  cleanups.push(() => source.close());
  const life = async () => Number((await seen('spiffe_svid_ttl_seconds'))[0]?.split(' ')[1]);
  const first = await life();
  expect(first).toBeGreaterThan(590);
  await clock.advance(100_000);
  expect(await life()).toBe(first - 100);
  const denied = new Promise<void>((resolve) => {
    cleanups.push(events.svid.subscribe(({ change }) => change === 'error' && resolve()));
  });
  server.setIds([]);
  await denied;
  await clock.advance(1);
  expect(await life()).toBe(0);
  await source.close();
  expect(await seen('spiffe_svid_ttl_seconds')).toEqual([]);
});

test('JWT-SVIDs have seconds only while there are some', async () => {
  const { metrics, seen } = underTest();
  const { clock, server } = await workload();
  const source = await JwtSource.open({ endpoint: server.endpoint, clock, metrics: metrics.spiffe });
  cleanups.push(() => source.close());
  expect(await seen('spiffe_svid_ttl_seconds')).toEqual([]);
  await source.fetchJwtSvid({ audience: 'first' });
  await clock.advance(40_000);
  await source.fetchJwtSvid({ audience: 'second' });
  expect(await seen('spiffe_svid_ttl_seconds')).toEqual(['spiffe_svid_ttl_seconds{svid_type="jwt"} 60']);
  await clock.advance(60_000);
  expect(await seen('spiffe_svid_ttl_seconds')).toEqual(['spiffe_svid_ttl_seconds{svid_type="jwt"} 40']);
});

test("a Vault client's token, leases and breaker are seen as they are, until it closes", async () => {
  const { metrics, seen } = underTest();
  const server = await FaultVault.listen();
  cleanups.push(() => server.close());
  const clock = new FakeClock();
  let broken = false;
  server.handler = ({ path }, response) => {
    if (path.endsWith('/lookup-self')) return answerLookup(response, 3_600);
    if (broken) return reply(response, 503, { errors: ['sealed'] });
    const data = { username: 'u', password: 'p' };
    return reply(response, 200, { lease_id: 'database/creds/r/1', lease_duration: 100, renewable: true, data });
  };
  const client = await VaultClient.open({
    address: server.address,
    ca: server.caPem,
    auth: tokenAuth({ token: 't' }),
    metrics: metrics.vault,
    maxRetries: 0,
    breakerThreshold: 2,
    breakerPauseMs: 600_000,
    random: () => 0.5,
    clock,
  });
  cleanups.push(() => client.destroy());
  await client.database().credentials('r');
  expect(await seen('vault_token_ttl_seconds')).toEqual(['vault_token_ttl_seconds 3600']);
  expect(await seen('vault_leases')).toContain('vault_leases{state="active"} 1');
  expect(await seen('vault_lease_ttl_seconds')).toEqual(['vault_lease_ttl_seconds{state="active"} 100']);
  expect(await seen('vault_breaker_state')).toContain('vault_breaker_state{state="closed"} 1');
  broken = true;
  const failed = new Promise<void>((resolve) => {
    client.leases.onChange(({ type }) => type === 'renewal-failed' && resolve());
  });
  await clock.advance(46_000);
  await failed;
  for (let call = 0; call < 2; call += 1)
    await client
      .kv()
      .read('a')
      .catch(() => undefined);
  expect(await seen('vault_leases')).toContain('vault_leases{state="failing"} 1');
  expect(await seen('vault_lease_ttl_seconds')).toEqual(['vault_lease_ttl_seconds{state="failing"} 54']);
  expect(await seen('vault_credential_renewals_total')).toContain(
    'vault_credential_renewals_total{credential_type="database",status="failure"} 1',
  );
  expect(await seen('vault_breaker_state')).toContain('vault_breaker_state{state="open"} 1');
  await client.destroy();
  expect(await seen('vault_token_ttl_seconds')).toEqual([]);
  expect((await seen('vault_leases')).every((line) => line.endsWith(' 0'))).toBe(true);
});

test('a rotation is counted with its time and its drain time, and the seconds follow the generation in use', async () => {
  const { metrics, seen } = underTest();
  const clock = new FakeClock();
  const provider = {
    name: 'database/role',
    obtain: async () => ({
      value: 'v',
      issuedAtMs: clock.now(),
      expiresAtMs: clock.now() + 90_000,
      revoke: async () => undefined,
    }),
  };
  const credential = await RotatingCredential.open({ provider, clock, metrics: metrics.credentials });
  credential.attach({
    publish: () => undefined,
    async drain() {
      await clock.advance(3_000);
      return { terminated: 1 };
    },
  });
  await clock.advance(50_000);
  expect(await seen('credential_ttl_seconds')).toEqual(['credential_ttl_seconds{credential="database/role"} 40']);
  await credential.rotate();
  expect(await seen('credential_ttl_seconds')).toEqual(['credential_ttl_seconds{credential="database/role"} 87']);
  expect(await seen('credential_drain_duration_seconds_sum')).toEqual([
    'credential_drain_duration_seconds_sum{credential="database/role"} 3',
  ]);
  expect(await seen('credential_drain_overruns_total')).toEqual([
    'credential_drain_overruns_total{credential="database/role"} 1',
  ]);
  expect(await seen('credential_rotations_total')).toEqual([
    'credential_rotations_total{credential="database/role",reason="forced",status="success"} 1',
  ]);
  await credential.close();
  expect(await seen('credential_ttl_seconds')).toEqual([]);
});

test('the token caches of a process add up, and one that closes takes its tokens along', async () => {
  const { metrics, seen } = underTest();
  const fetch = async () => ({ value: 't', expiresAtMs: Date.now() + 60_000 });
  const caches = [0, 1].map(() => new TokenCache({ fetch, metrics: metrics.tokenCache }));
  for (const cache of caches) {
    cleanups.push(() => cache.close());
    await cache.get('a');
    await cache.get('a');
  }
  expect(await seen('cache_size')).toEqual(['cache_size 2']);
  expect(await seen('token_cache_hits_total')).toEqual(['token_cache_hits_total 2']);
  caches[0]?.close();
  expect(await seen('cache_size')).toEqual(['cache_size 1']);
});
