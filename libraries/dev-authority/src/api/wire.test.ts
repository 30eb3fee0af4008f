import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';
import { MAX_BODY_BYTES } from './request-body.ts';

let vault: AuthorityUnderTest;
beforeAll(async () => {
  vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'secret/data/app/one', { data: { a: 1 } });
});
afterAll(() => vault[Symbol.asyncDispose]());

describe('answers', () => {
  test('an answer has the envelope of Vault', async () => {
    const { body, contentType } = await vault.root('GET', 'secret/data/app/one');
    expect(Object.keys(body)).toEqual([
      'request_id',
      'lease_id',
      'renewable',
      'lease_duration',
      'data',
      'wrap_info',
      'warnings',
      'auth',
    ]);
    expect(contentType).toBe('application/json');
  });

  test('nothing to say is 204 without a body', async () => {
    const answer = await vault.root('POST', 'secret/metadata/app/one', { max_versions: 5 });
    expect([answer.status, answer.text]).toEqual([204, '']);
  });

  test('a token travels in either header', async () => {
    const token = vault.authority.rootToken;
    expect((await vault.call('GET', 'auth/token/lookup-self', { token })).status).toBe(200);
    const bearer = await vault.call('GET', 'auth/token/lookup-self', { headers: { authorization: `Bearer ${token}` } });
    expect(bearer.data.id).toBe(token);
  });

  test('health, init, seal status and leader are open to anybody', async () => {
    for (const path of ['sys/health', 'sys/init', 'sys/seal-status', 'sys/leader']) {
      expect((await vault.call('GET', path)).status, path).toBe(200);
    }
    expect((await vault.call('GET', 'sys/health')).body).toMatchObject({
      initialized: true,
      sealed: false,
      standby: false,
    });
    expect((await vault.call('HEAD', 'sys/health?activecode=299')).status).toBe(299);
  });

  test('metrics come in the text format of Prometheus', async () => {
    const { text } = await vault.root('GET', 'sys/metrics?format=prometheus');
    expect(text).toMatch(/^vault_expire_num_leases 0$/m);
    expect(text).toMatch(/^dev_authority_requests_total\{.*operation="read".*\} \d+$/m);
  });
});

describe('the method LIST', () => {
  test('is served, on one connection again and again, and among bodies that begin with it', async () => {
    for (let round = 0; round < 3; round += 1) {
      const list = await vault.root('LIST', 'secret/metadata/app');
      expect(list.data.keys).toEqual(['one']);
      const refused = await vault.call('POST', 'secret/data/app/one', {
        token: vault.authority.rootToken,
        raw: 'LIST /v1/x',
      });
      expect(refused.status).toBe(400);
    }
  });

  test('is the same as GET with list=true', async () => {
    expect((await vault.root('GET', 'secret/metadata/app?list=true')).data.keys).toEqual(['one']);
  });

  test('answers 404 without errors for an empty folder', async () => {
    const { status, body } = await vault.root('LIST', 'secret/metadata/none');
    expect([status, body]).toEqual([404, { errors: [] }]);
  });
});

describe('errors', () => {
  const cases: readonly [
    rule: string,
    method: string,
    path: string,
    body: string | undefined,
    status: number,
    errors: unknown,
  ][] = [
    ['malformed JSON is 400', 'POST', 'secret/data/a', '{bad', 400, ['failed to decode JSON input: not valid JSON']],
    [
      'a body that is no object is 400',
      'POST',
      'secret/data/a',
      '[1]',
      400,
      ['failed to decode JSON input: not an object'],
    ],
    ['a missing secret is 404 without a text', 'GET', 'secret/data/none', undefined, 404, []],
    [
      'a missing mount is 404',
      'GET',
      'nosuch/thing',
      undefined,
      404,
      ['no handler for route "nosuch/thing". route entry not found.'],
    ],
    [
      'a wrong method is 405',
      'DELETE',
      'auth/token/lookup-self',
      undefined,
      405,
      ['1 error occurred:\n\t* unsupported operation\n\n'],
    ],
    ['a method that HTTP knows and Vault does not is 405', 'OPTIONS', 'secret/data/a', undefined, 405, []],
    ['a relative path is 400', 'GET', 'secret/data/%2e%2e/x', undefined, 400, ['relative paths not supported']],
    ['a broken escape is 400', 'GET', 'secret/data/%zz', undefined, 400, ['malformed path']],
    [
      'a wrong type is 400',
      'POST',
      'auth/token/create',
      '{"ttl":"soon"}',
      400,
      ['error converting input for field "ttl": not a duration between 0 and 100 years'],
    ],
  ];
  test.each(cases)('%s', async (_rule, method, path, raw, status, errors) => {
    const answer = await vault.call(method, path, {
      token: vault.authority.rootToken,
      ...(raw === undefined ? {} : { raw }),
    });
    expect([answer.status, answer.body]).toEqual([status, { errors }]);
  });

  test('headers that would change what a request means are refused', async () => {
    const token = vault.authority.rootToken;
    for (const name of ['x-vault-namespace', 'x-vault-wrap-ttl']) {
      const answer = await vault.call('GET', 'secret/data/app/one', { token, headers: { [name]: '60' } });
      expect([name, answer.status]).toEqual([name, 400]);
    }
  });

  test('a body over 32 MiB is 413, announced or not, and the next request is served', async () => {
    const raw = JSON.stringify({ data: { x: randomBytes(MAX_BODY_BYTES / 2 + 16).toString('hex') } });
    const token = vault.authority.rootToken;
    const announced = await vault
      .call('POST', 'secret/data/big', { token, raw })
      .catch((error: NodeJS.ErrnoException) => error);
    // The answer may come while the client still sends; then its socket is reset first.
    if (!(announced instanceof Error)) expect(announced.status).toBe(413);
    expect((await vault.root('GET', 'secret/data/big')).status).toBe(404);
  });
});
