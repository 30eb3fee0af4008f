import { SPIFFE_IDS } from '@neural-hive/contracts';
import { spiffeAgent } from '@neural-hive/security/http';
import { matchId } from '@neural-hive/security/spiffe';
import { CertificateAuthority, FixedIdentity, x509SvidOf } from '@neural-hive/security/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CredentialBoard } from './credential-board.ts';
import { type ManagementServer, managementServer } from './management-server.ts';
import { x509Entry } from './x509-entry.ts';

/** An identity that its authority, in this process, rotates on command. */
class RotatingIdentity extends FixedIdentity {
  generation = 1;

  static of(issuer: CertificateAuthority, id: string): RotatingIdentity {
    return new RotatingIdentity(issue(issuer, id), [issuer.bundle()]);
  }

  rotate(): void {
    this.generation += 1;
    this.setX509Svid(issue(authority, this.getX509Svid().id.toString()));
  }
}

function issue(issuer: CertificateAuthority, id: string) {
  return x509SvidOf(issuer.issueX509Svid({ id, ttlSeconds: 80 }));
}

const authority = CertificateAuthority.create('neural-hive.local');
const closing: (() => Promise<unknown>)[] = [];
let own: RotatingIdentity;
let board: CredentialBoard;
let server: ManagementServer;

beforeEach(async () => {
  own = RotatingIdentity.of(authority, SPIFFE_IDS.registry);
  board = new CredentialBoard();
  server = await managementServer({ identity: own, port: 0, board, health: () => ({ ok: true, identity: 'healthy' }) });
});
afterEach(async () => {
  await board.close();
  await Promise.all(closing.splice(0).map((close) => close()));
  await server.destroy();
});

function asking(identity: RotatingIdentity) {
  const dispatcher = spiffeAgent({ identity, authorize: matchId(SPIFFE_IDS.registry) });
  closing.push(() => dispatcher.destroy());
  return async (method: 'GET' | 'POST', path: string, body?: unknown) => {
    const response = await dispatcher.request({
      origin: `https://127.0.0.1:${server.port}`,
      method,
      path,
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text === '' ? undefined : JSON.parse(text) };
  };
}

test('the operator reads credentials and commands rotations, which happen under load', async () => {
  let generation = 1;
  board.register({
    name: 'db',
    kind: 'database',
    describe: () => ({ generation, ttlSeconds: 90, expiresAtMs: 7 }),
    rotate: async () => {
      generation += 1;
      return { terminated: 0 };
    },
    operate: () => new Promise((resolve) => setImmediate(resolve)),
  });
  const ask = asking(RotatingIdentity.of(authority, SPIFFE_IDS.operator));
  expect(await ask('GET', '/v1/credentials')).toEqual({
    status: 200,
    body: { credentials: [{ name: 'db', kind: 'database', generation: 1, ttlSeconds: 90, expiresAtMs: 7 }] },
  });
  expect(await ask('POST', '/v1/credentials/load', { action: 'start' })).toMatchObject({ body: { running: true } });
  const { body } = await ask('POST', '/v1/credentials/rotate', { all: true, times: 2 });
  expect(body.rotations).toMatchObject([
    { name: 'db', reason: 'forced', failed: 0 },
    { name: 'db', reason: 'forced', failed: 0 },
  ]);
  for (const rotation of body.rotations) expect(rotation.operationsDuring).toBeGreaterThanOrEqual(50);
  expect(await ask('POST', '/v1/credentials/load', { action: 'stop' })).toMatchObject({ body: { running: false } });
  const report = await ask('GET', '/v1/report');
  expect(report.body).toMatchObject({
    totals: { total: 2, forced: 2, failedOperations: 0 },
    rotations: body.rotations,
  });
  expect(await ask('GET', '/v1/health')).toEqual({ status: 200, body: { ok: true, identity: 'healthy' } });
});

test('wrong requests are refused with what is wrong', async () => {
  const ask = asking(RotatingIdentity.of(authority, SPIFFE_IDS.operator));
  const refusal = async (...request: Parameters<typeof ask>) => {
    const { status, body } = await ask(...request);
    return `${status} ${body.error.code}`;
  };
  expect(await refusal('GET', '/v1/nothing')).toBe('404 not_found');
  expect(await refusal('GET', '/toString')).toBe('404 not_found');
  expect(await refusal('GET', '/v1/credentials/rotate')).toBe('405 method_not_allowed');
  expect(await refusal('POST', '/v1/credentials/rotate', { name: 'unknown' })).toBe('409 not_possible');
  expect(await refusal('POST', '/v1/credentials/expect', { name: 'unknown' })).toBe('409 not_possible');
  for (const body of ['no json', {}, { name: 'a', all: true }, { all: true, times: 11 }, { all: true, more: 1 }]) {
    expect(await refusal('POST', '/v1/credentials/rotate', body)).toBe('400 invalid');
  }
  expect(await refusal('POST', '/v1/credentials/rotate', ' '.repeat(20_000))).toBe('400 invalid');
});

test('another workload is refused before it can ask, and the service itself may only ping', async () => {
  const asOperator = asking(RotatingIdentity.of(authority, SPIFFE_IDS.operator));
  expect((await asOperator('GET', '/v1/credentials')).status).toBe(200);
  await expect(asking(RotatingIdentity.of(authority, SPIFFE_IDS.worker))('GET', '/v1/credentials')).rejects.toThrow();
  const foreign = CertificateAuthority.create('neural-hive.local');
  await expect(asking(RotatingIdentity.of(foreign, SPIFFE_IDS.operator))('GET', '/v1/credentials')).rejects.toThrow();
  const asItself = asking(own);
  expect((await asItself('GET', '/v1/ping')).status).toBe(204);
  expect(await asItself('GET', '/v1/credentials')).toMatchObject({
    status: 403,
    body: { error: { code: 'not_allowed' } },
  });
});

test('item 40: a header that names the caller makes nobody that caller', async () => {
  const claims = {
    'x-internal-caller': 'orchestrator-dynamic',
    'x-forwarded-client-cert': `By=${SPIFFE_IDS.registry};URI=${SPIFFE_IDS.operator}`,
  };
  expect((await asking(RotatingIdentity.of(authority, SPIFFE_IDS.operator))('GET', '/v1/credentials')).status).toBe(
    200,
  );
  // The service itself gets in, but only to ping, whatever it says it is.
  const dispatcher = spiffeAgent({ identity: own, authorize: matchId(SPIFFE_IDS.registry) });
  closing.push(() => dispatcher.destroy());
  const origin = `https://127.0.0.1:${server.port}`;
  const response = await dispatcher.request({ origin, method: 'GET', path: '/v1/credentials', headers: claims });
  expect([response.statusCode, await response.body.json()]).toMatchObject([403, { error: { code: 'not_allowed' } }]);
});

test('an SVID that rotates under handshakes disturbs none of them', async () => {
  board.register({ ...x509Entry(own, { operate: () => server.handshake() }) });
  board.startLoad();
  board.expect('x509-svid');
  own.rotate();
  await board.report();
  own.rotate();
  const { rotations, credentials } = await board.report();
  expect(rotations).toMatchObject([
    { name: 'x509-svid', reason: 'forced', failed: 0 },
    { name: 'x509-svid', reason: 'due', failed: 0 },
  ]);
  for (const rotation of rotations) expect(rotation.operationsDuring).toBeGreaterThanOrEqual(50);
  expect(credentials).toMatchObject([{ name: 'x509-svid', generation: 3, ttlSeconds: 90 }]);
  own.setX509Bundle(authority.bundle());
  expect((await board.report()).rotations).toHaveLength(2);
});
