import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityUnderTest } from '../../authority-under-test.ts';

let vault: AuthorityUnderTest;
beforeAll(async () => {
  vault = await AuthorityUnderTest.open();
});
afterAll(() => vault[Symbol.asyncDispose]());

const write = (path: string, data: unknown, cas?: number) =>
  vault.root('POST', `secret/data/${path}`, { data, ...(cas === undefined ? {} : { options: { cas } }) });

describe('versions', () => {
  test('each write makes one more, and older ones stay readable', async () => {
    expect((await write('v', { n: 1 })).data).toMatchObject({ version: 1, destroyed: false, deletion_time: '' });
    expect((await write('v', { n: 2 })).data.version).toBe(2);
    expect((await vault.root('GET', 'secret/data/v')).data.data).toEqual({ n: 2 });
    expect((await vault.root('GET', 'secret/data/v?version=1')).data.data).toEqual({ n: 1 });
    expect((await vault.root('GET', 'secret/data/v?version=7')).body).toEqual({ errors: [] });
  });

  test('check-and-set lets one of two writers through', async () => {
    expect((await write('cas', { n: 1 }, 0)).status).toBe(200);
    const both = await Promise.all([write('cas', { n: 2 }, 1), write('cas', { n: 3 }, 1)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
    expect((await write('cas', { n: 4 }, 1)).body).toEqual({
      errors: ['check-and-set parameter did not match the current version'],
    });
  });

  test('only the newest are kept', async () => {
    await vault.must('POST', 'secret/metadata/few', { max_versions: 2 });
    for (const n of [1, 2, 3]) await write('few', { n });
    const { data } = await vault.root('GET', 'secret/metadata/few');
    expect(data).toMatchObject({ current_version: 3, oldest_version: 2 });
    expect(Object.keys(data.versions as object)).toEqual(['2', '3']);
  });

  test('a deleted version is 404 with its metadata, comes back, and destroyed it does not', async () => {
    await write('gone', { n: 1 });
    expect((await vault.root('DELETE', 'secret/data/gone')).status).toBe(204);
    const deleted = await vault.root('GET', 'secret/data/gone');
    expect([deleted.status, deleted.data.data]).toEqual([404, null]);
    expect(deleted.data.metadata).toMatchObject({ version: 1, deletion_time: expect.stringMatching(/^\d{4}-/) });
    await vault.must('POST', 'secret/undelete/gone', { versions: [1] });
    expect((await vault.root('GET', 'secret/data/gone')).data.data).toEqual({ n: 1 });
    await vault.must('PUT', 'secret/destroy/gone', { versions: [1] });
    await vault.must('POST', 'secret/undelete/gone', { versions: [1] });
    expect((await vault.root('GET', 'secret/data/gone')).data.metadata).toMatchObject({ destroyed: true });
  });
});

test('custom metadata is text by name and travels with the data', async () => {
  await write('meta', { n: 1 });
  await vault.must('POST', 'secret/metadata/meta', { custom_metadata: { generation: '7' } });
  const { data } = await vault.root('GET', 'secret/data/meta');
  expect(data.metadata).toMatchObject({ custom_metadata: { generation: '7' } });
  expect((await vault.root('POST', 'secret/metadata/meta', { custom_metadata: { a: { b: 1 } } })).status).toBe(400);
});

test('a merge patch changes what it names and nothing else', async () => {
  await write('patch', { a: 1, b: { c: 2, d: 3 } });
  expect((await vault.root('PATCH', 'secret/data/patch', { data: { b: { c: null, e: 4 } } })).data.version).toBe(2);
  expect((await vault.root('GET', 'secret/data/patch')).data.data).toEqual({ a: 1, b: { d: 3, e: 4 } });
  expect((await vault.root('PATCH', 'secret/data/none', { data: {} })).status).toBe(404);
});

test('a merge patch of metadata keeps what others have written there', async () => {
  await write('shared', {});
  await vault.must('POST', 'secret/metadata/shared', { custom_metadata: { a: '1', b: '2' }, max_versions: 3 });
  await vault.must('PATCH', 'secret/metadata/shared', { custom_metadata: { b: null, c: '3' } });
  const { data } = await vault.root('GET', 'secret/metadata/shared');
  expect(data).toMatchObject({ custom_metadata: { a: '1', c: '3' }, max_versions: 3, current_version: 1 });
  expect(data.custom_metadata).not.toHaveProperty('b');
  expect((await vault.root('PATCH', 'secret/metadata/shared', { custom_metadata: { a: 1 } })).status).toBe(400);
  expect((await vault.root('PATCH', 'secret/metadata/none', { custom_metadata: {} })).status).toBe(404);
});

test('a list shows names and folders of one level', async () => {
  for (const path of ['tree/a', 'tree/b/c', 'tree/b/d']) await write(path, {});
  expect((await vault.root('LIST', 'secret/metadata/tree')).data.keys).toEqual(['a', 'b/']);
});

test('names that objects have by themselves are ordinary names', async () => {
  const data = JSON.parse('{"__proto__": {"x": 1}, "constructor": "y"}') as unknown;
  await vault.call('POST', 'secret/data/__proto__', {
    token: vault.authority.rootToken,
    raw: JSON.stringify({ data }),
  });
  await vault.restart();
  const { text } = await vault.root('GET', 'secret/data/__proto__');
  expect(text).toContain('"data":{"__proto__":{"x":1},"constructor":"y"}');
  expect((await vault.root('GET', 'secret/data/toString')).status).toBe(404);
});
