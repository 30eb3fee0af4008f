import { type Metadata, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AuthDecisionEvent, events } from '../../common/index.ts';
import { type JwtBundleSource, parseJwtSvidInsecure, SpiffeError } from '../../spiffe/index.ts';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FixedIdentity } from '../../testing/fixed-identity.ts';
import { callerOf } from './caller.ts';
import { jwtSvidInterceptor } from './jwt-svid-interceptor.ts';
import { SpiffeAuthInterceptor, type SpiffeAuthOptions } from './spiffe-auth-interceptor.ts';
import {
  authorization,
  CLIENT_ID,
  COUNT,
  ECHO,
  EchoService,
  FALSE_HEALTH,
  HEALTH,
  HIDDEN,
  OTHER_ID,
  outcomeOf,
} from './testing/echo-service.ts';

const ISSUER = 'https://issuer.example.org';

let service: EchoService;
let counted: string[];
let lines: string[];

beforeEach(() => {
  service = new EchoService();
  counted = [];
  lines = [];
});
afterEach(() => service.close());

function bundles(): JwtBundleSource {
  return { getJwtBundle: ({ name }) => (name === 'example.org' ? service.authority.jwtBundle() : undefined) };
}

async function open(options: Partial<SpiffeAuthOptions> = {}, answer?: Parameters<EchoService['open']>[0]) {
  const { interceptor } = new SpiffeAuthInterceptor({
    bundles: bundles(),
    audience: 'echo',
    issuer: ISSUER,
    leewaySeconds: 0,
    methods: { [ECHO.path]: [CLIENT_ID], [COUNT.path]: [CLIENT_ID] },
    exceptions: [HEALTH.path],
    metrics: {
      attempt: (method, outcome) => counted.push(`${method} ${outcome}`),
      failure: (method, reason) => counted.push(`${method} ${reason}`),
    },
    logger: { warn: (fields, message) => lines.push(JSON.stringify({ ...fields, message })) },
    ...options,
  });
  await service.open({ interceptors: [interceptor], ...answer });
}

/** A good call first: what follows fails for its own reason only. */
async function afterGoodCall(metadata: Metadata, method = ECHO) {
  const client = service.client();
  const good = await outcomeOf(client, { metadata: authorization(`Bearer ${service.tokenOf({ issuer: ISSUER })}`) });
  expect(good).toMatchObject({ code: status.OK, values: ['hello'] });
  expect(counted.splice(0)).toEqual([`${ECHO.path} allowed`]);
  service.handled = 0;
  return outcomeOf(client, { metadata, method });
}

const now = () => Math.floor(Date.now() / 1000);
const foreign = CertificateAuthority.create('foreign.org');
const impostor = CertificateAuthority.create('example.org');
const other = { id: OTHER_ID, audience: 'echo', ttlSeconds: 60, issuer: ISSUER };

const refusals: [string, string, status, () => string[]][] = [
  ['no token', 'missing_token', status.UNAUTHENTICATED, () => []],
  [
    'a token without its scheme',
    'malformed_token',
    status.UNAUTHENTICATED,
    () => [service.tokenOf({ issuer: ISSUER })],
  ],
  ['something that is no token', 'malformed_token', status.UNAUTHENTICATED, () => ['Bearer abc']],
  [
    'two tokens in one header',
    'malformed_token',
    status.UNAUTHENTICATED,
    () => [`Bearer ${service.tokenOf({ issuer: ISSUER })}, Bearer ${service.tokenOf({ issuer: ISSUER })}`],
  ],
  [
    'a token of an unknown trust domain',
    'untrusted_domain',
    status.UNAUTHENTICATED,
    () => [`Bearer ${foreign.issueJwtSvid({ ...other, id: 'spiffe://foreign.org/client' })}`],
  ],
  [
    'a token signed with another key',
    'invalid_signature',
    status.UNAUTHENTICATED,
    () => [`Bearer ${impostor.issueJwtSvid({ ...other, id: CLIENT_ID })}`],
  ],
  [
    'a token for another audience',
    'wrong_audience',
    status.UNAUTHENTICATED,
    () => [`Bearer ${service.tokenOf({ issuer: ISSUER, audience: 'vault' })}`],
  ],
  [
    'a token that has just ended, without leeway',
    'expired',
    status.UNAUTHENTICATED,
    () => [`Bearer ${service.tokenOf({ issuer: ISSUER, claims: { exp: now() - 1 } })}`],
  ],
  [
    'a token that starts later',
    'expired',
    status.UNAUTHENTICATED,
    () => [`Bearer ${service.tokenOf({ issuer: ISSUER, claims: { nbf: now() + 60 } })}`],
  ],
  [
    'a token of an issuer whose name only begins like ours',
    'wrong_issuer',
    status.UNAUTHENTICATED,
    () => [`Bearer ${service.tokenOf({ issuer: `${ISSUER}.evil` })}`],
  ],
];

describe('a call is refused, its handler not run,', () => {
  test.each(refusals)('with %s: %s', async (_what, reason, code, values) => {
    await open();
    const outcome = await afterGoodCall(authorization(...values()));
    expect(outcome).toMatchObject({ code, details: `The call is refused: ${reason}` });
    expect(counted).toEqual([`${ECHO.path} denied`, `${ECHO.path} ${reason}`]);
    expect(service.handled).toBe(0);
  });

  test('when the identity is not in the row of the method: not_allowed', async () => {
    await open({ tokenMatchesPeer: false });
    const outcome = await afterGoodCall(authorization(`Bearer ${service.tokenOf({ issuer: ISSUER, id: OTHER_ID })}`));
    expect(outcome.code).toBe(status.PERMISSION_DENIED);
    expect(counted).toEqual([`${ECHO.path} denied`, `${ECHO.path} not_allowed`]);
    expect(service.handled).toBe(0);
  });

  test('when the method has no row, even with a good token, and its name is no label', async () => {
    await open();
    const metadata = authorization(`Bearer ${service.tokenOf({ issuer: ISSUER })}`);
    expect((await afterGoodCall(metadata, HIDDEN)).code).toBe(status.PERMISSION_DENIED);
    expect(counted).toEqual(['unknown denied', 'unknown unknown_method']);
    expect(service.handled).toBe(0);
  });

  test('when only the last part of its name is that of an exception', async () => {
    await open();
    expect((await outcomeOf(service.client(), { method: HEALTH })).code).toBe(status.OK);
    service.handled = 0;
    expect((await outcomeOf(service.client(), { method: FALSE_HEALTH })).code).toBe(status.PERMISSION_DENIED);
    expect(service.handled).toBe(0);
  });

  test('when the token belongs to another workload than the connection', async () => {
    const methods = { [ECHO.path]: [CLIENT_ID, OTHER_ID] };
    await open({ methods });
    const stolen = authorization(`Bearer ${service.tokenOf({ issuer: ISSUER, id: OTHER_ID })}`);
    const outcome = await afterGoodCall(stolen);
    expect(outcome.code).toBe(status.PERMISSION_DENIED);
    expect(counted).toEqual([`${ECHO.path} denied`, `${ECHO.path} not_allowed`]);
    expect(service.handled).toBe(0);
    // The very token is good on the connection of its owner.
    const owner = service.client({ identity: FixedIdentity.issue(service.authority, OTHER_ID) });
    expect((await outcomeOf(owner, { metadata: stolen })).code).toBe(status.OK);
  });

  test('before anything streams', async () => {
    await open();
    const refused = await afterGoodCall(authorization(), COUNT);
    expect(refused).toMatchObject({ code: status.UNAUTHENTICATED, values: [] });
    expect(service.handled).toBe(0);
    const metadata = authorization(`Bearer ${service.tokenOf({ issuer: ISSUER })}`);
    const allowed = await outcomeOf(service.client(), { method: COUNT, metadata });
    expect(allowed).toMatchObject({ code: status.OK, values: ['1', '2', 'hello'] });
  });

  test('as UNAVAILABLE when the verifier itself has lost its bundles', async () => {
    let withdrawn = false;
    const source: JwtBundleSource = {
      getJwtBundle(domain) {
        if (withdrawn) throw new SpiffeError('SVID_WITHDRAWN', 'gone');
        return bundles().getJwtBundle(domain);
      },
    };
    await open({ bundles: source });
    const metadata = authorization(`Bearer ${service.tokenOf({ issuer: ISSUER })}`);
    expect((await outcomeOf(service.client(), { metadata })).code).toBe(status.OK);
    withdrawn = true;
    expect((await outcomeOf(service.client(), { metadata })).code).toBe(status.UNAVAILABLE);
  });
});

test('a refusal is logged in one line without the token', async () => {
  await open();
  const token = service.tokenOf({ issuer: ISSUER, audience: 'vault' });
  await afterGoodCall(authorization(`Bearer ${token}`));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    method: ECHO.path,
    reason: 'wrong_audience',
    errorCode: 'JWT_AUDIENCE_REFUSED',
  });
  for (const part of token.split('.')) expect(lines[0]).not.toContain(part);
});

test('a handler knows its caller and does not see the token', async () => {
  await open({}, { answer: (call) => `${callerOf(call)} ${call.metadata.get('authorization').length}` });
  const metadata = authorization(`Bearer ${service.tokenOf({ issuer: ISSUER })}`);
  expect((await outcomeOf(service.client(), { metadata })).values).toEqual([`${CLIENT_ID} 0`]);
});

test('an exception has no caller', async () => {
  await open(
    {},
    {
      answer: (call) => {
        try {
          return callerOf(call).toString();
        } catch (error) {
          return String(error);
        }
      },
    },
  );
  const { values } = await outcomeOf(service.client(), { method: HEALTH });
  expect(values[0]).toMatch(/^TypeError: call:/);
});

test('leeway admits a token that ended no longer ago', async () => {
  await open({ leewaySeconds: 30 });
  const token = service.tokenOf({ issuer: ISSUER, claims: { exp: now() - 5 } });
  expect((await outcomeOf(service.client(), { metadata: authorization(`Bearer ${token}`) })).code).toBe(status.OK);
});

test('a wrong table is refused at once', () => {
  const options = { bundles: { getJwtBundle: () => undefined }, audience: 'echo', methods: {} };
  expect(new SpiffeAuthInterceptor(options)).toBeDefined();
  expect(() => new SpiffeAuthInterceptor({ ...options, audience: [] })).toThrow(TypeError);
  expect(() => new SpiffeAuthInterceptor({ ...options, leewaySeconds: 121 })).toThrow(RangeError);
  expect(() => new SpiffeAuthInterceptor({ ...options, exceptions: ['Check'] })).toThrow(TypeError);
  expect(() => new SpiffeAuthInterceptor({ ...options, methods: { '/test.Echo/*': [CLIENT_ID] } })).toThrow(TypeError);
  expect(() => new SpiffeAuthInterceptor({ ...options, methods: { [ECHO.path]: ['client'] } })).toThrow(/SPIFFE/);
  const both = { ...options, methods: { [HEALTH.path]: [CLIENT_ID] }, exceptions: [HEALTH.path] };
  expect(() => new SpiffeAuthInterceptor(both)).toThrow(/also in methods/);
});

test('each decision is an event with who called and why it was refused, and without the token', async () => {
  await open();
  const heard: AuthDecisionEvent[] = [];
  const stop = events.authDecision.subscribe((event) => heard.push(event));
  const stranger = `Bearer ${service.tokenOf({ issuer: ISSUER, id: OTHER_ID })}`;
  await afterGoodCall(authorization(stranger));
  await outcomeOf(service.client(), { metadata: authorization() });
  stop();
  await outcomeOf(service.client(), { metadata: authorization(stranger) });
  expect(heard).toEqual([
    { method: ECHO.path, allowed: true, spiffeId: CLIENT_ID },
    { method: ECHO.path, allowed: false, reason: 'not_allowed', spiffeId: OTHER_ID },
    { method: ECHO.path, allowed: false, reason: 'missing_token' },
  ]);
});

describe('jwtSvidInterceptor', () => {
  test('J-14: sends the token of the source with unary and streaming calls', async () => {
    await open();
    const asked: unknown[] = [];
    const source = {
      fetchJwtSvid: async ({ audience }: { audience: unknown }) => {
        asked.push(audience);
        return parseJwtSvidInsecure(service.tokenOf({ issuer: ISSUER }));
      },
    };
    const client = service.client({}, { interceptors: [jwtSvidInterceptor(source, 'echo')] });
    expect((await outcomeOf(client)).values).toEqual(['hello']);
    expect((await outcomeOf(client, { method: COUNT })).values).toEqual(['1', '2', 'hello']);
    expect(asked).toEqual(['echo', 'echo']);
  });

  test('fails the call, and sends nothing, when there is no token', async () => {
    await open();
    const source = {
      fetchJwtSvid: () => Promise.reject(new SpiffeError('WORKLOAD_API_UNAVAILABLE', 'no agent', { retryable: true })),
    };
    const client = service.client({}, { interceptors: [jwtSvidInterceptor(source, 'echo')] });
    expect(await outcomeOf(client)).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('no agent'),
    });
    expect(counted).toEqual([]);
  });

  test('ends at the deadline and on cancel while the token is still awaited', async () => {
    await open();
    let aborted = 0;
    const source = {
      fetchJwtSvid: ({ signal }: { signal?: AbortSignal }) =>
        new Promise<never>((_, reject) =>
          signal?.addEventListener('abort', () => {
            aborted += 1;
            reject(signal.reason);
          }),
        ),
    };
    const client = service.client({}, { interceptors: [jwtSvidInterceptor(source, 'echo')] });
    const late = await outcomeOf(client, { options: { deadline: Date.now() + 50 } });
    expect(late.code).toBe(status.DEADLINE_EXCEEDED);
    const cancelled = await new Promise((resolve) => {
      const { path, requestSerialize, responseDeserialize } = ECHO;
      client
        .makeUnaryRequest(path, requestSerialize, responseDeserialize, 'x', (error) => resolve(error?.code))
        .cancel();
    });
    expect(cancelled).toBe(status.CANCELLED);
    expect(aborted).toBe(2);
  });
});
