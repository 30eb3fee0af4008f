import { realpathSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { installGoPeer, runGoPeer, type SpireStack, startGoPeer, startSpire } from '@neural-hive/real-stack';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { JwtSource, matchId, WorkloadApiClient, X509Source } from '../../spiffe/index.ts';
import { callerOf } from './caller.ts';
import { jwtSvidInterceptor } from './jwt-svid-interceptor.ts';
import { SpiffeAuthInterceptor } from './spiffe-auth-interceptor.ts';
import { CLIENT_ID, ECHO, EchoService, HEALTH, outcomeOf, SERVER_ID } from './testing/echo-service.ts';

const GO = 'spiffe://example.org/go-peer';
const AUDIENCE = 'echo.example.org';
const ISSUER = 'https://issuer.example.org';
/** `grpc.health.v1.HealthCheckResponse` with the status SERVING, which happens to be text. */
const SERVING = '\x08\x01';

let spire: SpireStack;
let server: X509Source;
let client: X509Source;
let jwt: JwtSource;
let peer: { readonly endpoint: string; readonly binary: string };
let service: EchoService;

beforeAll(async () => {
  const [stack, binary] = await Promise.all([
    startSpire({ jwtIssuer: ISSUER }),
    process.env.GO_PEER_BINARY ?? installGoPeer(),
  ]);
  spire = stack;
  const { endpoint } = spire;
  peer = { endpoint, binary };
  const selectors = [`unix:path:${realpathSync(process.execPath)}`];
  await spire.createEntry({ id: GO, selectors: [`unix:path:${realpathSync(binary)}`] });
  await spire.createEntry({ id: SERVER_ID, selectors });
  await spire.createEntry({ id: CLIENT_ID, selectors, x509TtlSeconds: 24 });
  await bothKnown(endpoint);
  const source = (id: string) =>
    X509Source.open({ endpoint, pick: (svids) => svids.find((svid) => svid.id.toString() === id) ?? svids[0] });
  [server, client, jwt] = await Promise.all([source(SERVER_ID), source(CLIENT_ID), JwtSource.open({ endpoint })]);
});
afterAll(async () => {
  for (const source of [server, client, jwt]) await source?.close();
  await spire?.stop();
});
afterEach(() => service.close());

/** The agent learns of new entries one by one. */
async function bothKnown(endpoint: string): Promise<void> {
  const workload = new WorkloadApiClient({ endpoint });
  const found = new AbortController();
  const signal = AbortSignal.any([found.signal, AbortSignal.timeout(20_000)]);
  await workload.watchX509Context({ update: ({ svids }) => void (svids.length === 2 && found.abort()) }, { signal });
  workload.close();
}

/** The service of the tests, behind the identities of the agent. */
async function open(authorize: string, options: Parameters<EchoService['open']>[0] = {}): Promise<EchoService> {
  service = new EchoService();
  return service.open({ ...options, listen: { identity: server, authorize: matchId(authorize) } });
}

test('calls over mutual TLS carry a JWT-SVID that the service verifies', async () => {
  const { interceptor } = new SpiffeAuthInterceptor({
    bundles: jwt,
    audience: AUDIENCE,
    issuer: ISSUER,
    leewaySeconds: 0,
    methods: { [ECHO.path]: [CLIENT_ID] },
  });
  await open(CLIENT_ID, { interceptors: [interceptor], answer: (call) => `${callerOf(call)}` });
  const asked = (subject: string, audience = AUDIENCE) => {
    const source = { fetchJwtSvid: (request: object) => jwt.fetchJwtSvid({ ...request, audience, subject }) };
    const channel = { identity: client, authorize: matchId(SERVER_ID) };
    return outcomeOf(service.client(channel, { interceptors: [jwtSvidInterceptor(source, audience)] }));
  };
  expect(await asked(CLIENT_ID)).toEqual({ code: status.OK, details: '', values: [CLIENT_ID] });
  // The token of the other identity: not the one that the connection shows, and in no row.
  expect((await asked(SERVER_ID)).code).not.toBe(status.OK);
  expect((await asked(CLIENT_ID, 'another.example.org')).code).toBe(status.UNAUTHENTICATED);
  expect(service.handled).toBe(1);
});

test('a channel stays open while the agent renews its SVID, and a new one shows the new SVID', async () => {
  await open(CLIENT_ID);
  const channel = { identity: client, authorize: matchId(SERVER_ID) };
  const first = service.client(channel);
  expect(await outcomeOf(first)).toMatchObject({ code: status.OK });
  const before = client.getX509Svid();
  const after = await client.waitForUpdate({ signal: AbortSignal.timeout(25_000) });
  expect(after.privateKeyPem()).not.toBe(before.privateKeyPem());
  expect(await outcomeOf(first)).toMatchObject({ code: status.OK });
  expect(await outcomeOf(service.client(channel))).toMatchObject({ code: status.OK });
});

test('a client in Go calls our server, unless another ID is expected at either end', async () => {
  await open(GO, { answer: () => SERVING });
  const { port } = service.listener;
  expect(await runGoPeer('dial-grpc', { ...peer, port, authorize: SERVER_ID })).toEqual({ status: 'SERVING' });
  await expect(runGoPeer('dial-grpc', { ...peer, port, authorize: CLIENT_ID })).rejects.toThrow(SERVER_ID);
  expect(service.handled).toBe(1);

  await service.close();
  await open(CLIENT_ID, { answer: () => SERVING });
  const refused = runGoPeer('dial-grpc', { ...peer, port: service.listener.port, authorize: SERVER_ID });
  await expect(refused).rejects.toThrow('Unavailable');
  expect(service.handled).toBe(0);
});

test('our client calls a server in Go, unless another ID is expected at either end', async () => {
  service = new EchoService();
  await using accepting = await startGoPeer('serve-grpc', { ...peer, authorize: CLIENT_ID });
  const dial = (port: number, authorize: string) => {
    const channel = service.clientTo(port, { identity: client, authorize: matchId(authorize) });
    return outcomeOf(channel, { method: HEALTH, value: '' });
  };
  expect(await dial(accepting.port, GO)).toEqual({ code: status.OK, details: '', values: [SERVING] });
  expect(await dial(accepting.port, SERVER_ID)).toMatchObject({ code: status.UNAVAILABLE });

  await using refusing = await startGoPeer('serve-grpc', { ...peer, authorize: SERVER_ID });
  expect(await dial(refusing.port, GO)).toMatchObject({ code: status.UNAVAILABLE });
});
