import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isSaid, judgeCoverage, refusalMessages } from './refusal-coverage.ts';

const folder = mkdtempSync(join(tmpdir(), 'refusals-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('messages are found in every template, with and without printf', () => {
  mkdirSync(join(folder, 'jobs'), { recursive: true });
  writeFileSync(join(folder, '_a.tpl'), '{{- $problems = append $problems "a is empty: set it" -}}\n');
  const formatted = '{{- $problems = append $problems (printf "b is %d (\\"%s\\"): set 3" (int .b) .c) -}}\n';
  writeFileSync(join(folder, 'jobs', 'b.yaml'), formatted);
  writeFileSync(join(folder, 'NOTES.txt'), '{{- $problems = append $problems "no template" -}}\n');
  expect([...refusalMessages(folder)].sort()).toEqual(['a is empty: set it', 'b is %d ("%s"): set 3']);
  const failed: string[] = [];
  const report = { passed: () => {}, failed: (point: string) => failed.push(point), skipped: () => {} };
  judgeCoverage([folder], ['b is 2 ("x"): set 3'], report);
  expect(failed).toEqual(['tried: a is empty: set it']);
});

test('a message is said when its texts stand in order in one answer; its dots are dots', () => {
  const message = 'server.replicas=%d with type=%s: set it';
  expect(isSaid(message, ['other', '- server.replicas=3 with type=sqlite3: set it\n'])).toBe(true);
  expect(isSaid(message, ['server.replicas=3', 'with type=sqlite3: set it'])).toBe(false);
  expect(isSaid(message, ['serverxreplicas=3 with type=sqlite3: set it'])).toBe(false);
});
