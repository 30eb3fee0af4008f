import { expect, test } from 'vitest';
import { openRepository } from '../repository.ts';
import { brokenClaim, claimsIn, rowsOf } from './claims.ts';

/** The sections of the document, and how many lines of meaning each has. */
const SECTIONS: ReadonlyMap<string, number> = new Map([
  ['0', 4],
  ['1', 23],
  ['2.1', 9],
  ['2.2', 7],
  ['2.3', 7],
  ['3.1', 9],
  ['3.2', 10],
  ['3.3', 8],
  ['3.4', 3],
  ['4.1', 7],
  ['4.2', 7],
  ['4.3', 4],
  ['5', 11],
  ['6.1', 1],
  ['6.2', 2],
]);

const repository = openRepository(process.cwd());
const rows = rowsOf(repository.read('docs/mission-map.md')).map(
  ({ cells: [line = '', what = '', file = '', tests = ''] }) => ({
    line,
    what,
    files: claimsIn(file),
    tests: claimsIn(tests),
  }),
);

test('every line of every section has a row, in the order of the document', () => {
  const wanted = [...SECTIONS].flatMap(([section, lines]) =>
    Array.from({ length: lines }, (_, index) => `${section}/${index + 1}`),
  );
  expect(rows.map(({ line }) => line)).toEqual(wanted);
});

test('every row says what the line says, and has a file and a test', () => {
  const incomplete = rows.filter(({ what, files, tests }) => what === '' || files.length === 0 || tests.length === 0);
  expect(incomplete.map(({ line }) => line)).toEqual([]);
});

test('every file and every test that the map names exists', () => {
  const broken = rows.flatMap(({ line, files, tests }) =>
    [...files, ...tests].flatMap((claim) => brokenClaim(repository, claim)?.replace(/^/, `${line}: `) ?? []),
  );
  expect(broken).toEqual([]);
});

test('the metrics that the document names are in the list of metrics', () => {
  const named = rows.flatMap(({ what }) => /^The metric `([a-z_]+)`/.exec(what)?.[1] ?? []);
  expect(named).toHaveLength(11);
  const list = repository.read('observability/metrics.md');
  expect(named.filter((name) => !list.includes(`| \`${name}\` |`))).toEqual([]);
});
