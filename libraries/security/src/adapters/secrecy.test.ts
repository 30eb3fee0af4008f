import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { DevAuthority } from '@neural-hive/dev-authority';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterEach, expect, test } from 'vitest';
import { events } from '../common/index.ts';
import { kvSecret, RotatingCredential } from '../credentials/index.ts';
import { JwtSource, X509Source } from '../spiffe/index.ts';
import { jwtAuth, tokenAuth, type VaultAuth, VaultClient } from '../vault/index.ts';
import { openTelemetryUnderTest, prometheusUnderTest } from './metrics/testing/readers.ts';
import { openTelemetrySpans } from './opentelemetry/index.ts';

const WORKLOAD = 'spiffe://neural-hive.local/ns/test/sa/app';
const AUDIENCE = 'vault.test';
const PASSWORDS = ['PASSWORDinTHEkv', 'PASSWORDthatFOLLOWED'] as const;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An authority whose KV holds a password, and which lets the workload read it and have certificates. */
async function openAuthority() {
  const folder = mkdtempSync(join(tmpdir(), 'nh-secrecy-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'agent.sock');
  const workloads = [{ socketPath, spiffeId: WORKLOAD }];
  const authority = await DevAuthority.open({ stateFolder: join(folder, 'state'), workloads });
  cleanups.push(() => authority.close());
  const { address, caPem: ca, rootToken } = authority;
  const root = await VaultClient.open({ address, ca, auth: tokenAuth({ token: rootToken }) });
  cleanups.push(() => root.close());
  const post = (path: string, body: Record<string, unknown>) => root.request({ method: 'POST', path, body });
  await root.sys.auth.enable('jwt', { type: 'jwt' });
  await post('auth/jwt/config', { provider_config: { provider: 'spiffe' } });
  await post('auth/jwt/role/app', {
    role_type: 'jwt',
    bound_audiences: [AUDIENCE],
    bound_subject: WORKLOAD,
    user_claim: 'sub',
    token_policies: ['app'],
    token_ttl: 600,
  });
  await root.sys.policies.write(
    'app',
    'path "secret/*" { capabilities = ["read"] }\npath "pki/issue/app" { capabilities = ["update"] }',
  );
  await root.sys.mounts.enable('pki', { type: 'pki' });
  await post('pki/root/generate/internal', { common_name: 'test', key_type: 'ec', key_bits: 256 });
  await post('pki/roles/app', { allow_any_name: true, key_type: 'ec', key_bits: 256, ttl: '60s' });
  await root.kv().write('app', { password: PASSWORDS[0] });
  return { address, ca, root, rootToken, endpoint: `unix://${socketPath}` };
}

test('a whole session leaves no secret in metrics, spans or events', async () => {
  const { address, ca, root, rootToken, endpoint } = await openAuthority();
  const prometheus = prometheusUnderTest();
  const openTelemetry = openTelemetryUnderTest();
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const heard: object[] = [];
  cleanups.push(
    openTelemetrySpans(provider.getTracer('test')),
    ...Object.values(events).map((channel) => channel.subscribe((event) => void heard.push(event))),
  );
  const secrets = new Set<string>([rootToken, ...PASSWORDS]);

  for (const { metrics } of [prometheus, openTelemetry]) {
    const x509 = await X509Source.open({ endpoint, metrics: metrics.spiffe });
    const jwt = await JwtSource.open({ endpoint, metrics: metrics.spiffe });
    const login = jwtAuth({
      role: 'app',
      fetchToken: async () => {
        const token = (await jwt.fetchJwtSvid({ audience: AUDIENCE })).token.reveal();
        secrets.add(token);
        return token;
      },
    });
    const auth: VaultAuth = {
      ...login,
      async login(context) {
        const block = await login.login(context);
        secrets.add(block.token.reveal());
        return block;
      },
    };
    const client = await VaultClient.open({ address, ca, auth, metrics: metrics.vault, maxRetries: 0 });
    cleanups.push(
      () => x509.close(),
      () => jwt.close(),
      () => client.close(),
    );
    const issued = await client.pki().issue('app', { commonName: 'app.test' });
    secrets.add(issued.privateKeyPem.reveal());
    const credential = await RotatingCredential.open({
      provider: kvSecret(client, 'app', { parse: ({ password }) => String(password) }),
      metrics: metrics.credentials,
    });
    expect(credential.current().value).toBe(PASSWORDS[0]);
    await root.kv().write('app', { password: PASSWORDS[1] });
    expect(await credential.rotate()).toMatchObject({ ok: true });
    await root.kv().write('app', { password: PASSWORDS[0] });
    await client.rotateToken();
    await client
      .kv()
      .write('app', { password: PASSWORDS[0] })
      .catch(() => undefined);
    await credential.close();
  }

  const counted = [await prometheus.look(), await openTelemetry.look()].map((lines) => lines.join('\n'));
  const spans = exporter.getFinishedSpans().map(({ name, attributes, status }) => ({ name, attributes, status }));
  const shown = [...counted, JSON.stringify(spans), inspect(heard, { depth: 10 })];
  // Something of the session shows everywhere, so that a secret would have had its chance.
  for (const text of counted) {
    for (const sample of [
      'kv.write',
      'spiffe_svid_ttl_seconds',
      'vault_token_ttl_seconds',
      'credential_rotations_total',
    ]) {
      expect(text).toContain(sample);
    }
  }
  expect(new Set(spans.map(({ name }) => name))).toEqual(
    new Set([
      'spiffe fetch jwt',
      'vault auth.login',
      ...['vault kv.read', 'vault kv.write', 'vault pki.issue', 'vault token.revoke', 'vault token.lookup'],
      'credential rotation',
    ]),
  );
  expect(heard).toContainEqual({ change: 'replaced', reason: 'forced' });
  expect(heard).toContainEqual(expect.objectContaining({ svidType: 'jwt', spiffeId: WORKLOAD }));
  expect(secrets.size).toBeGreaterThanOrEqual(3 + 2 * 3);
  // Of a token and a PEM not even a part.
  const parts = [...secrets].flatMap((secret) => [secret, ...secret.split(/[.\n]/).filter((part) => part.length > 40)]);
  const leaks = (text: string): boolean => parts.some((part) => text.includes(part)) || /PRIVATE KEY|eyJ/.test(text);
  for (const secret of secrets) expect(leaks(`a label="${secret}"`)).toBe(true);
  for (const text of shown) expect(leaks(text)).toBe(false);
});
