import { expect, test } from 'vitest';
import { inMemory, openRepository } from '../repository.ts';
import { conformanceDocument, DOCUMENT } from './document.ts';
import { namedTests } from './named-tests.ts';
import { POINTS } from './points.ts';
import { judge } from './run.ts';

const A = 'libraries/security/a.test.ts';
const quote = (title: string): string => `test('${title}', () => {});`;

test('the register holds 114 points, and no id twice', () => {
  const ids = POINTS.flatMap((point) => point.ids);
  expect(POINTS).toHaveLength(114);
  expect(new Set(ids).size).toBe(ids.length);
});

test('titles that begin with ids are found, also in the rows of a table, and real tests are not', () => {
  const repository = inMemory({
    [A]: `${quote('ID-01, ID-02: both are refused')}\n["X-08: cA doesn't pass", 1]\n${quote('see ID-03')}`,
    'libraries/security/a.real.test.ts': quote('ID-04: real'),
    'libraries/security/a.ts': quote('ID-05: code'),
    'libraries/security/b.test.ts': quote('ZZ-99: of another list'),
  });
  expect(namedTests(repository)).toEqual([
    { file: A, ids: ['ID-01', 'ID-02'], title: 'both are refused' },
    { file: A, ids: ['X-08'], title: "cA doesn't pass" },
  ]);
});

test('a point is met by a test that passed, and not when another that names it failed', () => {
  const tests = namedTests(inMemory({ [A]: ['ID-01', 'ID-02', 'ID-03'].map((id) => quote(`${id}: x`)).join('\n') }));
  const verdicts = judge(tests, [
    { name: 'ID-01: x', passed: true },
    { name: 'ID-02: x', passed: true },
    { name: 'ID-02: y', passed: false },
  ]);
  const why = (id: string) => verdicts.find((verdict) => verdict.id === id);
  expect(why('ID-01')).toEqual({ id: 'ID-01', unexpected: false });
  expect(why('ID-02')).toMatchObject({ unexpected: true, why: 'This test fails: ID-02: y' });
  expect(why('ID-03')).toMatchObject({ unexpected: true, why: 'No test that names ID-03 ran.' });
  expect(why('ID-04')).toMatchObject({ unexpected: true, why: 'No test names ID-04 yet.' });
  expect(why('K-01')).toMatchObject({ unexpected: false });
});

test('a point of several ids needs all of them', () => {
  const of = (...ids: string[]) =>
    judge(namedTests(inMemory({ [A]: ids.map((id) => quote(`${id}: x`)).join('\n') })), [
      { name: `${ids.join(', ')}: x`, passed: true },
    ]).find(({ id }) => id === 'J-13, J-14');
  expect(of('J-13', 'J-14')).toEqual({ id: 'J-13, J-14', unexpected: false });
  expect(of('J-13')).toMatchObject({ why: 'No test names J-14 yet.' });
});

test('docs/conformance.md is what npm run conformance makes of the tests', () => {
  const repository = openRepository(process.cwd());
  expect(repository.read(DOCUMENT)).toBe(conformanceDocument(namedTests(repository)));
});
