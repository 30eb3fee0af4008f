import { expect, test } from 'vitest';
import { inMemory, openRepository } from '../repository.ts';
import { brokenClaim, claimsIn, rowsOf, titlesIn } from './claims.ts';

const PAGE = 'docs/beats-the-original.md';
const repository = openRepository(process.cwd());
const rows = rowsOf(repository.read(PAGE)).map(({ cells: [item = '', , ours = '', tests = ''] }) => ({
  item: Number(item),
  ours,
  claims: claimsIn(tests),
}));

test('titles are found in whatever way a test is written, and links with and without a title', () => {
  const code = "test('one', () => {});\ntest.each(cases)('two %s', f);\ndescribe(`three`, f);\nit(\n  \"fo'ur\", f)";
  expect([...titlesIn(code)]).toEqual(['one', 'two %s', 'three', "fo'ur"]);
  expect(claimsIn('[a](../x/a.test.ts): one<br>[b](../y/b.ts)')).toEqual([
    { file: 'x/a.test.ts', title: 'one' },
    { file: 'y/b.ts', title: undefined },
  ]);
  const small = inMemory({ 'x/a.test.ts': "test('one', () => {});" });
  expect(brokenClaim(small, { file: 'x/a.test.ts', title: 'one' })).toBeUndefined();
  expect(brokenClaim(small, { file: 'x/a.test.ts', title: 'two' })).toMatch(/no test/);
  expect(brokenClaim(small, { file: 'x/b.test.ts', title: undefined })).toMatch(/not exist/);
});

test('every test that the page names exists', () => {
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.flatMap(({ claims }) => claims).flatMap((claim) => brokenClaim(repository, claim) ?? [])).toEqual([]);
});

test('items 14 to 45 have a row each, with a test named after the item, or say that it is still to come', () => {
  const wanted = Array.from({ length: 32 }, (_, index) => index + 14);
  expect(rows.map(({ item }) => item).filter((item) => item >= 14 && item <= 45)).toEqual(wanted);
  for (const { item, ours, claims } of rows) {
    if (!wanted.includes(item)) continue;
    const named = claims.some(({ title = '' }) => new RegExp(`^item ${item}\\b`).test(title));
    // Once the test is there the row has to name it.
    const pending = /^Not yet: `([^`]+)`/.exec(ours)?.[1];
    const written = repository.files
      .filter((file) => file === pending)
      .some((file) => [...titlesIn(repository.read(file))].some((title) => title.startsWith(`item ${item}:`)));
    expect({ item, named: named || (pending !== undefined && !written) }).toEqual({ item, named: true });
  }
});

test('no test that is named after an item is missing on the page', () => {
  const claimed = new Set(rows.flatMap(({ claims }) => claims.map(({ title }) => title)));
  const named = repository.files
    .filter((file) => file.endsWith('.test.ts') && !file.startsWith('tools/check/'))
    .flatMap((file) => [...titlesIn(repository.read(file))].filter((title) => /^item \d+: /.test(title)));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((title) => !claimed.has(title))).toEqual([]);
});
