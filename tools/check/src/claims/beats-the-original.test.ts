import { expect, test } from 'vitest';
import { inMemory, openRepository } from '../repository.ts';
import { brokenClaim, claimsIn, rowsOf, titlesIn } from './claims.ts';

const PAGE = 'docs/beats-the-original.md';
const repository = openRepository(process.cwd());
const rows = rowsOf(repository.read(PAGE)).map(({ cells: [item = '', , , tests = ''] }) => ({
  item: Number(item),
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

test('items 14 to 45 have a row each, with a test that is named after the item', () => {
  const wanted = Array.from({ length: 32 }, (_, index) => index + 14);
  const between = rows.filter(({ item }) => item >= 14 && item <= 45);
  expect(between.map(({ item }) => item)).toEqual(wanted);
  const unnamed = between.filter(
    ({ item, claims }) => !claims.some(({ title = '' }) => title.startsWith(`item ${item}: `)),
  );
  expect(unnamed.map(({ item }) => item)).toEqual([]);
});

test('no test that is named after an item is missing on the page', () => {
  const claimed = new Set(rows.flatMap(({ claims }) => claims.map(({ title }) => title)));
  const named = repository.files
    .filter((file) => file.endsWith('.test.ts') && !file.startsWith('tools/check/'))
    .flatMap((file) => [...titlesIn(repository.read(file))].filter((title) => /^item \d+: /.test(title)));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((title) => !claimed.has(title))).toEqual([]);
});
