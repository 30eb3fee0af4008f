import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { OutputTail } from '../attempts/output-tail.ts';
import { openFolder } from '../testing/guards.ts';
import { readJUnit } from './junit-report.ts';
import { readTap } from './tap-report.ts';
import { readTestCounts } from './test-report.ts';

describe('TAP', () => {
  test('is read into counts, with what was skipped apart', () => {
    const text = 'TAP version 13\n1..5\nok 1 - a\nnot ok 2 - b\nok 3 # SKIP no disk\nnot ok 4 - d # TODO later\nok 5\n';
    expect(readTap(text)).toEqual({ passed: 2, failed: 1, skipped: 2 });
  });

  test('counts the outermost level, since that includes what is within it', () => {
    const text = '1..2\n    1..2\n    ok 1\n    not ok 2\nnot ok 1 - parent\nok 2\n';
    expect(readTap(text)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  test('with a summary is what the summary says', () => {
    expect(readTap('1..1\nok 1\n# tests 7\n# pass 5\n# fail 1\n# cancelled 0\n# skipped 1\n')).toEqual({
      passed: 5,
      failed: 1,
      skipped: 1,
    });
  });

  test.each([
    ['nothing', ''],
    ['fewer points than planned', '1..3\nok 1\nok 2\n'],
    ['points without a plan', 'ok 1\n'],
    ['prose', 'everything is ok 1'],
  ])('with %s reports nothing', (_name, text) => {
    expect(readTap(text)).toBeUndefined();
  });

  test('that bails out has failed', () => {
    expect(readTap('1..3\nok 1\nBail out! no database\n')).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });
});

describe('JUnit', () => {
  const report = (cases: string) =>
    `<?xml version="1.0"?><testsuites><testsuite name="s">${cases}</testsuite></testsuites>`;

  test('is read into counts, case by case', () => {
    const text = report(`
      <testcase name="a" classname="c"/>
      <testcase name="b &gt; c"><failure message="x &lt; y">text</failure><system-out>said</system-out></testcase>
      <testcase name="c"><error/></testcase>
      <testcase name="d"><skipped/></testcase>
      <testcase name="e"></testcase>`);
    expect(readJUnit(text)).toEqual({ passed: 2, failed: 2, skipped: 1 });
  });

  test('may have suites within suites, and says each case once', () => {
    const inner = '<testsuite tests="9" failures="9"><testcase name="a"/></testsuite>';
    expect(readJUnit(`<testsuite tests="9">${inner}<testcase name="b"/></testsuite>`)).toEqual({
      passed: 2,
      failed: 0,
      skipped: 0,
    });
  });

  test('is not misled by tags in text that is none of its own', () => {
    const noise = '<![CDATA[</testcase><testcase><failure/>]]><!-- <failure/> -->';
    expect(readJUnit(report(`<testcase name="a > b"><system-out>${noise}</system-out></testcase>`))).toEqual({
      passed: 1,
      failed: 0,
      skipped: 0,
    });
  });

  test.each([
    ['is cut off', '<testsuite><testcase name="a"/>'],
    ['is something else', '<html><testcase/></html>'],
    ['ends what it did not begin', '</testsuite>'],
  ])('that %s reports nothing', (_name, text) => {
    expect(readJUnit(text)).toBeUndefined();
  });
});

test('a JUnit file is read in the workspace, and no link is followed out of it', async () => {
  const workspace = openFolder('junit');
  const place = { format: 'junit', file: 'out/report.xml' } as const;
  const attempt = { output: new OutputTail(), workspace };
  expect(await readTestCounts(attempt, place)).toBeUndefined();
  mkdirSync(join(workspace, 'out'));
  writeFileSync(join(workspace, 'out', 'report.xml'), '<testsuite><testcase/></testsuite>');
  expect(await readTestCounts(attempt, place)).toEqual({ passed: 1, failed: 0, skipped: 0 });
  writeFileSync(join(workspace, 'elsewhere.xml'), '<testsuite><testcase/></testsuite>');
  symlinkSync(join(workspace, 'elsewhere.xml'), join(workspace, 'out', 'link.xml'));
  expect(await readTestCounts(attempt, { format: 'junit', file: 'out/link.xml' })).toBeUndefined();
});
