import { expect, test } from 'vitest';
import { addUp, countTests, fallsShort, mergeUses } from './totals.ts';

const nothing = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };

test('tests that passed are counted and are enough', () => {
  const counted = countTests({
    ...nothing,
    numPassedTests: 3,
    testResults: [{ status: 'passed', assertionResults: [] }],
  });
  expect(counted).toEqual({ passed: 3, failed: 0, skipped: 0 });
  expect(fallsShort(addUp([{ name: 'a', version: '1', ...counted }]))).toBe(false);
});

test('a run without a report and a run without a test are failures', () => {
  expect(countTests(undefined).failed).toBe(1);
  expect(countTests(nothing).failed).toBe(1);
});

test('a file that could not be loaded is a failure, and a failed test is not counted twice', () => {
  const unloaded = { status: 'failed', assertionResults: [{ status: 'passed' }] };
  expect(countTests({ ...nothing, numPassedTests: 1, testResults: [unloaded] }).failed).toBe(1);
  const failing = { status: 'failed', assertionResults: [{ status: 'failed' }] };
  expect(countTests({ ...nothing, numFailedTests: 1, testResults: [failing] }).failed).toBe(1);
});

test('a skipped test makes the run fall short', () => {
  const totals = addUp([{ name: 'a', version: '1', passed: 5, failed: 0, skipped: 1 }]);
  expect(totals).toMatchObject({ passed: 5, skipped: 1 });
  expect(fallsShort(totals)).toBe(true);
});

test('what several components used is one list, with every test once', () => {
  const bao = (version: string, ...tests: string[]) => ({ name: 'openbao', version, tests });
  const merged = mergeUses([[bao('2.7.2', 'b', 'a')], [bao('2.6.2', 'c'), bao('2.7.2', 'b', 'd')], []]);
  expect(merged).toEqual([bao('2.6.2', 'c'), bao('2.7.2', 'a', 'b', 'd')]);
});
