import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { ListAgentsRequest, ServiceRegistryClient } from '@neural-hive/contracts/proto/service-registry';
import { Secret } from '@neural-hive/security/common';
import { jwtSvidInterceptor, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { spiffeAgent } from '@neural-hive/security/http';
import { JwtSource, matchId, parseJwtSvidInsecure, X509Source } from '@neural-hive/security/spiffe';
import { CertificateAuthority, FixedIdentity, x509SvidOf } from '@neural-hive/security/testing';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { findPlatform } from '../client/platform-state.ts';
import { sumOfMetric } from '../job/metrics-text.ts';
import { tryRefusedCallers } from '../job/refused-callers.ts';
import { createOutput } from '../output.ts';
import { workloadSocket } from '../platform/authority.ts';
import { locateHome } from '../platform/home.ts';
import { AS_ROOT, within } from './hive-process.ts';

const { home: data, earlyTokens } = inject('platform');
const home = locateHome({ root: AS_ROOT, data });
const platform = findPlatform(data);
const foreign = CertificateAuthority.create('elsewhere.example');
/** Status codes of gRPC. */
const GRPC = { ok: 0, permissionDenied: 7, unauthenticated: 16 };
const SILENT = { ...createOutput({ json: true }), line: () => {} };
const SOMEBODY = 'spiffe://elsewhere.example/operator';

let operator: X509Source;
let operatorTokens: JwtSource;
let workerTokens: JwtSource;
let api: Agent;
let worker: X509Source;
let workerApi: Agent;

beforeAll(async () => {
  operator = await X509Source.open({ endpoint: `unix://${platform.operatorSocket}` });
  operatorTokens = await JwtSource.open({ endpoint: `unix://${platform.operatorSocket}` });
  workerTokens = await JwtSource.open({ endpoint: `unix://${workloadSocket(home, 'worker-agents')}` });
  worker = await X509Source.open({ endpoint: `unix://${workloadSocket(home, 'worker-agents')}` });
  workerApi = spiffeAgent({ identity: worker, authorize: matchId(SPIFFE_IDS.orchestrator) });
  api = spiffeAgent({ identity: operator, authorize: matchId(SPIFFE_IDS.orchestrator) });
});

afterAll(async () => {
  await Promise.all([api?.destroy(), workerApi?.destroy()]);
  await Promise.all([worker?.close(), operator?.close(), operatorTokens?.close(), workerTokens?.close()]);
});

const listPlans = async (token?: string, dispatcher = api): Promise<number> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const url = `https://127.0.0.1:${platform.orchestrator.port}/api/v1/plans?limit=1`;
  const response = await request(url, { dispatcher, headers });
  await response.body.dump();
  return response.statusCode;
};

/** Answers with the gRPC status. */
async function listAgents(token?: string): Promise<number> {
  const client = new ServiceRegistryClient(
    `127.0.0.1:${platform.registry.port}`,
    spiffeChannelCredentials({ identity: operator, authorize: matchId(SPIFFE_IDS.registry) }),
    { interceptors: token === undefined ? [] : [showing(token)] },
  );
  try {
    return await new Promise((resolve) => {
      client.listAgents(ListAgentsRequest.fromPartial({}), (error) => resolve(error?.code ?? GRPC.ok));
    });
  } finally {
    client.close();
  }
}

async function failures(port: number, method: string, reason: string): Promise<number> {
  const response = await request(`http://127.0.0.1:${port}/metrics`);
  return sumOfMetric(await response.body.text(), 'grpc_auth_failures_total', { method, reason });
}

const logOf = (service: string): string => readFileSync(join(home.logs, `${service}.log`), 'utf8');

/** No piece of a token that could be used is in any log. */
function expectUnlogged(token: string): void {
  const signature = token.split('.')[2] ?? token;
  for (const name of readdirSync(home.logs)) {
    expect(readFileSync(join(home.logs, name), 'utf8').includes(signature), name).toBe(false);
  }
}

/** Sends this token and no other. */
function showing(token: string) {
  const fetchJwtSvid = async () => ({ ...parseJwtSvidInsecure(token), token: new Secret(token) });
  return jwtSvidInterceptor({ fetchJwtSvid }, 'ignored');
}

/** Without a certificate or a token. */
async function anonymously(): Promise<number> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    const url = `https://127.0.0.1:${platform.orchestrator.port}/api/v1/plans`;
    const response = await request(url, { dispatcher });
    await response.body.dump();
    return response.statusCode;
  } finally {
    await dispatcher.destroy();
  }
}

interface Door {
  readonly service: string;
  readonly method: string;
  readonly audience: string;
  readonly metricsPort: number;
  readonly ok: number;
  readonly unauthenticated: number;
  readonly forbidden: number;
  readonly expired: string;
  /** The method, or operation, that every test asks for. */
  readonly ask: (token?: string) => Promise<number>;
}

const DOORS: readonly Door[] = [
  {
    service: 'service-registry',
    method: '/neural_hive.service_registry.ServiceRegistry/ListAgents',
    audience: AUDIENCES.registry,
    metricsPort: platform.registry.metrics,
    ok: GRPC.ok,
    unauthenticated: GRPC.unauthenticated,
    forbidden: GRPC.permissionDenied,
    expired: earlyTokens.registry,
    ask: listAgents,
  },
  {
    service: 'orchestrator-dynamic',
    method: 'ListPlans',
    audience: AUDIENCES.orchestrator,
    metricsPort: platform.orchestrator.metrics,
    ok: 200,
    unauthenticated: 401,
    forbidden: 403,
    expired: earlyTokens.orchestrator,
    ask: listPlans,
  },
];

describe.each(DOORS)('$service', (door) => {
  const own = async (source: JwtSource, audience = door.audience): Promise<string> =>
    (await source.fetchJwtSvid({ audience })).token.reveal();

  /** The refusal is answered, counted once under its reason, and logged in one line that does not hold the token. */
  async function expectRefused(token: string | undefined, answer: number, reason: string, method = door.method) {
    const counted = await failures(door.metricsPort, method, reason);
    const logged = logOf(door.service).length;
    expect(await door.ask(token)).toBe(answer);
    expect(await failures(door.metricsPort, method, reason)).toBe(counted + 1);
    const lines = (): string[] =>
      logOf(door.service)
        .slice(logged)
        .split('\n')
        .filter((line) => line.includes(`"reason":"${reason}"`));
    expect(await within(2_000, () => lines().length > 0)).toBe(true);
    expect(lines()).toHaveLength(1);
    if (token !== undefined) expectUnlogged(token);
  }

  test('lets the operator in with a token for it', async () => {
    expect(await door.ask(await own(operatorTokens))).toBe(door.ok);
  });

  test('refuses a token for another service', async () => {
    await expectRefused(await own(operatorTokens, AUDIENCES.vault), door.unauthenticated, 'wrong_audience');
  });

  test('refuses a token of a foreign trust domain', async () => {
    const token = foreign.issueJwtSvid({
      id: SOMEBODY,
      audience: door.audience,
      ttlSeconds: 60,
      issuer: SPIFFE_ISSUER,
    });
    await expectRefused(token, door.unauthenticated, 'untrusted_domain');
  });

  test('refuses a token that somebody else signed in the name of the operator', async () => {
    const impostor = CertificateAuthority.create('neural-hive.local');
    const claim = { id: SPIFFE_IDS.operator, audience: door.audience, ttlSeconds: 60, issuer: SPIFFE_ISSUER };
    await expectRefused(impostor.issueJwtSvid(claim), door.unauthenticated, 'invalid_signature');
  });

  test('refuses a token that has expired, without leeway', { timeout: 90_000 }, async () => {
    const leftMs = parseJwtSvidInsecure(door.expired).expiresAtMs - Date.now();
    if (leftMs > 0) await delay(leftMs);
    await expectRefused(door.expired, door.unauthenticated, 'expired');
  });
});

test('the registry refuses the operator what only a worker may do', async () => {
  const method = '/neural_hive.service_registry.ServiceRegistry/Register';
  const counted = await failures(platform.registry.metrics, method, 'not_allowed');
  await expect(tryRefusedCallers(platform, operator, SILENT)).resolves.toBeUndefined();
  expect(await failures(platform.registry.metrics, method, 'not_allowed')).toBe(counted + 1);
});

test('the orchestrator refuses a worker that shows a good token', async () => {
  const { token } = await workerTokens.fetchJwtSvid({ audience: AUDIENCES.orchestrator });
  const counted = await failures(platform.orchestrator.metrics, 'ListPlans', 'not_allowed');
  expect(await listPlans(token.reveal(), workerApi)).toBe(403);
  expect(await failures(platform.orchestrator.metrics, 'ListPlans', 'not_allowed')).toBe(counted + 1);
  expectUnlogged(token.reveal());
});

test('a certificate of a foreign trust domain opens no connection', async () => {
  const stranger = new FixedIdentity(x509SvidOf(foreign.issueX509Svid({ id: SOMEBODY, ttlSeconds: 60 })), [
    ...[operator.getX509Bundle(operator.getX509Svid().id.trustDomain)].filter((bundle) => bundle !== undefined),
  ]);
  const dispatcher = spiffeAgent({ identity: stranger, authorize: matchId(SPIFFE_IDS.orchestrator) });
  try {
    await expect(listPlans(undefined, dispatcher)).rejects.toThrow();
  } finally {
    await dispatcher.destroy();
  }
});

test('the registry refuses a call without a token, although the connection shows a certificate', async () => {
  const { metrics } = platform.registry;
  const method = '/neural_hive.service_registry.ServiceRegistry/ListAgents';
  const counted = await failures(metrics, method, 'missing_token');
  expect(await listAgents()).toBe(GRPC.unauthenticated);
  expect(await failures(metrics, method, 'missing_token')).toBe(counted + 1);
});

test('the orchestrator takes a certificate for the caller, and refuses one who shows neither', async () => {
  expect(await listPlans()).toBe(200);
  const counted = await failures(platform.orchestrator.metrics, 'ListPlans', 'missing_token');
  expect(await anonymously()).toBe(401);
  expect(await failures(platform.orchestrator.metrics, 'ListPlans', 'missing_token')).toBe(counted + 1);
});
