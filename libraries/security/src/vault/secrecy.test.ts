import { inspect } from 'node:util';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTelemetrySpans } from '../adapters/opentelemetry/index.ts';
import { prometheusMetrics } from '../adapters/prometheus/index.ts';
import { events, Secret } from '../common/index.ts';
import { databaseCredentials, RotatingCredential } from '../credentials/index.ts';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { answerLookup, type FaultHandler, FaultVault, reply } from '../testing/fault-vault.ts';
import { FixedIdentity } from '../testing/fixed-identity.ts';
import { appRoleAuth } from './auth/app-role.ts';
import type { VaultAuth } from './auth/auth.ts';
import { certAuth } from './auth/cert.ts';
import { jwtAuth } from './auth/jwt.ts';
import { tokenAuth } from './auth/token.ts';
import { VaultClient } from './client.ts';
import { VaultError } from './errors.ts';
import type { Logger } from './observe.ts';

const SECRETS = ['hvs.VERYsecretTOKEN', 'PASSWORDofALease', 'JWTofTHEworkload', 'VALUEinTHEkv', 'WRITTENvalue'];
const [TOKEN = '', PASSWORD = '', JWT = '', VALUE = '', WRITTEN = ''] = SECRETS;

let server: FaultVault;
beforeEach(async () => {
  server = await FaultVault.listen();
});
afterEach(() => server.close());

/** Every way in which a value reaches a log or a screen by accident. */
function shown(value: unknown): string {
  const inspected = inspect(value, { depth: 20, showHidden: true, getters: true });
  const error = value instanceof Error ? `${value.message} ${value.stack} ${String(value.cause)}` : '';
  let json = '';
  try {
    json = JSON.stringify(value) ?? '';
  } catch {
    // Circular: nobody logs it this way.
  }
  return `${inspected} ${json} ${String(value)} ${error}`;
}

function expectNoSecret(value: unknown): void {
  const text = shown(value);
  for (const secret of SECRETS) expect(text.includes(secret), `${secret} in ${text.slice(0, 300)}`).toBe(false);
}

test('the check itself finds a secret that is shown', () => {
  expect(() => expectNoSecret({ deep: { password: PASSWORD } })).toThrow();
  expect(() => expectNoSecret(new Error(`failed with ${TOKEN}`))).toThrow();
});

test('no token, password, JWT or stored value shows in objects, errors, logs, metrics, spans or events', async () => {
  const registry = new Registry();
  const { vault: metrics, credentials } = prometheusMetrics(registry);
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const heard: object[] = [];
  const stops = [
    openTelemetrySpans(provider.getTracer('test')),
    ...Object.values(events).map((channel) => channel.subscribe((event) => void heard.push(event))),
  ];
  const logged: unknown[] = [];
  const log = (fields: object, message: string): void => void logged.push({ fields, message });
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  let broken = false;
  server.handler = ({ path }, response) => {
    if (broken) return reply(response, 500, { errors: ['internal error'] });
    if (path.endsWith('/login')) {
      const auth = { client_token: TOKEN, accessor: 'acc', lease_duration: 60, renewable: true, token_type: 'service' };
      return reply(response, 200, { auth });
    }
    if (path.endsWith('/lookup-self')) return answerLookup(response);
    if (path.includes('/creds/')) {
      const data = { username: 'u', password: PASSWORD };
      return reply(response, 200, {
        lease_id: `database/creds/r/${server.requests.length}`,
        lease_duration: 60,
        renewable: true,
        data,
      });
    }
    if (path.includes('/data/denied')) return reply(response, 403, { errors: ['permission denied'] });
    if (path.includes('/data/garbled')) return reply(response, 200, `{"data": {"password": "${VALUE}"`);
    if (path.includes('/data/')) {
      return reply(response, 200, { data: { version: 1, data: { password: VALUE }, metadata: { version: 1 } } });
    }
    return reply(response, 200, {});
  };
  const client = await VaultClient.open({
    address: server.address,
    ca: server.caPem,
    auth: jwtAuth({ role: 'r', fetchToken: () => Promise.resolve(JWT) }),
    metrics,
    logger,
    maxRetries: 0,
    random: () => 0,
  });
  const lease = await client.database().credentials('r');
  expect(lease.value.password.reveal()).toBe(PASSWORD);
  const credential = await RotatingCredential.open({
    provider: databaseCredentials(client, 'r'),
    logger,
    metrics: credentials,
    probe: async () => undefined,
  });
  await credential.rotate();
  await client.kv().write('path', { password: WRITTEN });
  for (const value of [
    client,
    client.token,
    client.leases,
    client.leases.list(),
    lease,
    lease.value,
    credential,
    credential.current(),
  ]) {
    expectNoSecret(value);
  }
  const failures: unknown[] = [];
  const keep = (error: unknown): void => void failures.push(error);
  await client.kv().read('denied').catch(keep);
  await client.kv().read('garbled').catch(keep);
  broken = true;
  await client.kv().write('path', { password: WRITTEN }).catch(keep);
  await client.rotateToken().catch(keep);
  await credential.rotate().then((outcome) => keep(outcome));
  expect(failures).toHaveLength(5);
  for (const failure of failures) expectNoSecret(failure);
  broken = false;
  await credential.close();
  await client.close();
  expect(logged.length).toBeGreaterThan(0);
  for (const entry of logged) expectNoSecret(entry);
  for (const stop of stops) stop();
  const counted = await registry.metrics();
  expect(counted).toContain('vault_requests_total{operation="kv.write",status="success"} 1');
  expect(counted).toContain('vault_requests_total{operation="kv.write",status="unavailable"} 1');
  expect(counted).toContain('credential_rotations_total{credential="database/r",reason="forced",status="failure"} 1');
  expectNoSecret(counted);
  const spans = exporter.getFinishedSpans().map(({ name, attributes, status }) => ({ name, attributes, status }));
  expect(new Set(spans.map(({ name }) => name))).toContain('credential rotation');
  expectNoSecret(spans);
  expect(heard).toContainEqual(expect.objectContaining({ credential: 'database/r', ok: false }));
  expect(heard).toContainEqual(expect.objectContaining({ change: 'obtained' }));
  expectNoSecret(heard);
  // Labels are templates: not even a path of a secret shows.
  expect(counted + JSON.stringify([spans, heard])).not.toContain('garbled');
});

// Looking into every answer takes its time on a busy machine.
test('what the other engines and logins carry shows nowhere, whatever the server answers', {
  timeout: 120_000,
}, async () => {
  const logged: unknown[] = [];
  const log = (fields: object, message: string): void => void logged.push({ fields, message });
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const authority = CertificateAuthority.create('secrecy.test');
  const identity = FixedIdentity.issue(authority, 'spiffe://secrecy.test/a');
  const auths: VaultAuth[] = [
    appRoleAuth({ roleId: WRITTEN, secretId: JWT }),
    appRoleAuth({ roleId: WRITTEN, wrappedSecretId: { token: TOKEN, creationPath: 'p' } }),
    jwtAuth({ role: 'r', audience: 'a', source: { fetchJwtSvid: () => Promise.resolve({ token: new Secret(JWT) }) } }),
    certAuth({ identity }),
  ];
  const answers: FaultHandler[] = [
    ({ path }, response) => reply(response, 200, fullAnswer(path)),
    (_request, response) => reply(response, 400, { request_id: 'r', errors: ['wrong'] }),
    (_request, response) => reply(response, 403, { errors: ['permission denied'] }),
    (_request, response) => reply(response, 500, `{"errors": ["${TOKEN}`),
    (_request, response) => reply(response, 200, `{"data": {"password": "${VALUE}", "wrap_info": {"token": "${TOKEN}"`),
    (_request, response) => reply(response, 200, { data: { password: VALUE, ciphertext: 1 }, wrap_info: { token: 1 } }),
    (_request, response) => reply(response, 307, '', { location: 'https://elsewhere.test/v1/x' }),
    (_request, response) => response.destroy(),
  ];
  const results: unknown[] = [];
  for (const [index, auth] of auths.entries()) {
    expectNoSecret(auth);
    // The engines are the same for every login: one of them meets every answer, the others a good and a bad one.
    for (const answer of index === 0 ? answers : answers.slice(0, 2)) {
      let opened = false;
      server.handler = (request, response) => {
        if (opened) answer(request, response);
        else reply(response, 200, fullAnswer(request.path));
      };
      const { address, caPem: ca } = server;
      const client = await VaultClient.open({ address, ca, auth, logger, maxRetries: 0, random: () => 0 });
      opened = true;
      for (const result of await Promise.allSettled(everyCall(client))) {
        results.push(result.status === 'fulfilled' ? result.value : result.reason);
      }
      results.push(await client.rotateToken().catch((error: unknown) => error));
      results.push(client, client.leases.list());
      await client.destroy();
    }
  }
  expect(results.filter((result) => result instanceof VaultError).length).toBeGreaterThan(100);
  expect(results.filter((result) => !(result instanceof Error)).length).toBeGreaterThan(50);
  for (const result of [...results, ...logged]) expectNoSecret(result);
});

/** One answer that holds what every call looks for, its secrets included. */
function fullAnswer(path: string): Record<string, unknown> {
  const auth = { client_token: TOKEN, accessor: 'acc', lease_duration: 60, renewable: true, token_type: 'service' };
  const wrapInfo = { token: TOKEN, accessor: 'acc', ttl: 60, creation_path: 'p', creation_time: '' };
  const data = {
    ...{ username: 'u', password: PASSWORD, ttl: 60, last_vault_rotation: '2026-01-01T00:00:00Z' },
    ...{ certificate: 'pem', issuing_ca: 'pem', serial_number: '00', private_key: VALUE, revocation_time: 1 },
    ...{ ciphertext: 'vault:v1:x', plaintext: Buffer.from(VALUE).toString('base64'), valid: true, type: 'aes' },
    ...{ secret_id: JWT, creation_path: 'p' },
  };
  if (path.endsWith('/login')) return { auth };
  if (path.endsWith('/wrap') || path.endsWith('/rewrap')) return { wrap_info: wrapInfo };
  return { data };
}

/** Every call of the engines whose answers or requests hold a secret that the library wraps. */
function everyCall(client: VaultClient): Promise<unknown>[] {
  const [database, pki, transit, { wrapping }] = [client.database(), client.pki(), client.transit(), client];
  const token = new Secret(TOKEN);
  return [
    database.staticCredentials('r'),
    database.rotateRole('r'),
    pki.issue('r', { commonName: 'a' }),
    pki.issueForOwnKey('r', { commonName: 'a' }),
    transit.encrypt('k', WRITTEN, { associatedData: WRITTEN }),
    transit.decrypt('k', 'vault:v1:x', { context: WRITTEN }),
    transit.sign('k', WRITTEN),
    transit.verify('k', WRITTEN, 'vault:v1:x'),
    transit.hmac('k', WRITTEN),
    client.kv1().write('a', { password: WRITTEN }),
    client.cubbyhole().write('a', { password: WRITTEN }),
    client.kv().patch('a', { password: WRITTEN }),
    wrapping.wrap({ password: WRITTEN }, { ttlSeconds: 60 }),
    wrapping.lookup(token),
    wrapping.rewrap(token),
    // What is inside is given as it is: asked for by name, as with `request`.
    wrapping.unwrap(token, { creationPath: 'p' }).then(() => 'unwrapped'),
  ];
}

test('a handed-in token shows nowhere', async () => {
  server.handler = (_request, response) => reply(response, 403, { errors: ['permission denied'] });
  const auth = tokenAuth({ token: TOKEN });
  expectNoSecret(auth);
  const opening = VaultClient.open({ address: server.address, ca: server.caPem, auth });
  await opening.then(
    () => expect.unreachable(),
    (error) => expectNoSecret(error),
  );
});
