import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TicketFailure } from '../../domain/failure.ts';
import { openFolder } from '../../testing/guards.ts';
import { KubernetesClient } from './kubernetes-client.ts';

interface Answer {
  readonly status: number;
  readonly body?: string;
}

const folder = openFolder('kubernetes-client');
const files = { caFile: join(folder, 'ca.pem'), tokenFile: join(folder, 'token') };

let server: Server;
let client: KubernetesClient;
let asked: { method: string | undefined; authorization: string | undefined; body: string }[];
let answers: Answer[];

/** A server with a certificate of an authority of its own, whose CA is laid into the file. */
async function start(port = 0): Promise<void> {
  const authority = CertificateAuthority.create('kubernetes.test');
  const { certificateChainPem: cert, privateKey } = authority.issueTlsCertificate({
    ipAddresses: ['127.0.0.1'],
    ttlSeconds: 3_600,
  });
  writeFileSync(files.caFile, authority.certificatePem);
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  server = createServer({ cert, key }, async (request, response) => {
    let body = '';
    for await (const part of request) body += String(part);
    asked.push({ method: request.method, authorization: request.headers.authorization, body });
    const { status, body: said = '{}' } = answers.shift() ?? { status: 200 };
    response.writeHead(status).end(said);
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
}

async function stop(): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

beforeEach(async () => {
  asked = [];
  answers = [];
  writeFileSync(files.tokenFile, 'token-1\n');
  await start();
  client = new KubernetesClient({ ...files, url: urlOf(), retryMs: 20_000 });
});
afterEach(async () => {
  await client.close();
  await stop();
});

function urlOf(): string {
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const signal = new AbortController().signal;
const get = (by = client, stopped = signal) => by.call({ path: '/x', what: 'Reading', signal: stopped });

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TicketFailure);
  return error as TicketFailure;
}

test('a call shows the token that is in the file now', async () => {
  await get();
  writeFileSync(files.tokenFile, 'token-2\n');
  await get();
  expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
});

test('a server with another authority is trusted once its CA is in the file', async () => {
  await get();
  const { port } = server.address() as AddressInfo;
  await stop();
  await start(port);
  expect((await get()).status).toBe(200);
});

test('a server that cannot be trusted gets no token', async () => {
  writeFileSync(files.caFile, CertificateAuthority.create('other.test').certificatePem);
  const distrustful = new KubernetesClient({ ...files, url: urlOf(), retryMs: 0 });
  expect(await failure(get(distrustful))).toMatchObject({ code: 'backend' });
  expect(asked).toEqual([]);
  await distrustful.close();
});

test('a server that cannot answer now is asked again, with the same call', async () => {
  answers = [{ status: 503 }, { status: 429 }, { status: 200, body: '{"a":1}' }];
  const said = await client.call({ method: 'POST', path: '/x', body: { b: 1 }, what: 'Making', signal });
  expect(said).toEqual({ status: 200, text: '{"a":1}' });
  expect(asked.map(({ method, body }) => [method, body])).toEqual(Array(3).fill(['POST', '{"b":1}']));
});

test('a server that is away for a while is found again', async () => {
  const { port } = server.address() as AddressInfo;
  await get();
  await stop();
  const running = get();
  await start(port);
  expect((await running).status).toBe(200);
});

test.each([
  [{ status: 422, body: '{"message":"spec.x"}' }, 'parameters', /422: spec\.x/],
  [{ status: 400 }, 'parameters', /400/],
  [{ status: 401 }, 'backend', /401/],
  [{ status: 403, body: '{"message":"forbidden"}' }, 'backend', /403: forbidden/],
])('an answer %o is a failure of its class, and no token is in it', async (answer, code, message) => {
  answers = [answer];
  const failed = await failure(get());
  expect(failed).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(JSON.stringify(failed) + failed.stack).not.toContain('token-1');
});

test('what is not there, and what has changed meanwhile, is the caller’s to decide about', async () => {
  answers = [{ status: 404 }, { status: 409 }, { status: 404 }];
  expect([(await get()).status, (await get()).status]).toEqual([404, 409]);
  expect(await client.get('/x', 'Reading', signal)).toBeUndefined();
});

test('a call that is given up ends with the reason', async () => {
  const given = new AbortController();
  answers = Array.from({ length: 50 }, () => ({ status: 503 }));
  const running = failure(get(client, given.signal));
  given.abort(new TicketFailure('cancelled', 'given up'));
  expect(await running).toMatchObject({ code: 'cancelled' });
});

test('an address without TLS is refused', () => {
  expect(() => new KubernetesClient({ ...files, url: 'http://127.0.0.1:1' })).toThrow(RangeError);
});
