import { inspect } from 'node:util';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTelemetrySpans } from '../adapters/opentelemetry/index.ts';
import { prometheusMetrics } from '../adapters/prometheus/index.ts';
import { events } from '../common/index.ts';
import { databaseCredentials, RotatingCredential } from '../credentials/index.ts';
import { answerLookup, FaultVault, reply } from '../testing/fault-vault.ts';
import { jwtAuth } from './auth/jwt.ts';
import { tokenAuth } from './auth/token.ts';
import { VaultClient } from './client.ts';
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
