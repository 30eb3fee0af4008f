import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseNotes } from '../dist/notes.mjs';
import { compareVersions, formatVersion, nextVersion, parseVersion, VERSION } from '../dist/version.mjs';

test('a version is read and written back', () => {
  assert.equal(formatVersion(parseVersion('1.20.3')), '1.20.3');
  assert.equal(formatVersion(parseVersion(VERSION)), VERSION);
});

test('text that is no version is refused', () => {
  for (const text of ['', '1.2', '1.2.x', '01.2.3', '1.2.3 ']) assert.throws(() => parseVersion(text), TypeError);
});

test('versions are compared as numbers', () => {
  assert.ok(compareVersions(parseVersion('1.10.0'), parseVersion('1.9.9')) > 0);
});

test('the most important change decides the next version', () => {
  const version = parseVersion('1.4.2');
  assert.equal(formatVersion(nextVersion(version, ['fix', 'breaking'])), '2.0.0');
  assert.equal(formatVersion(nextVersion(version, ['fix', 'feature'])), '1.5.0');
  assert.equal(formatVersion(nextVersion(version, ['fix'])), '1.4.3');
  assert.equal(formatVersion(nextVersion(version, [])), '1.4.2');
});

test('the notes begin with what breaks', () => {
  const entries = [
    { change: 'fix', text: 'A crash at the start' },
    { change: 'breaking', text: 'The old format is gone' },
  ];
  assert.equal(
    releaseNotes(parseVersion('1.4.2'), entries),
    '# 2.0.0\n\n## Breaking\n- The old format is gone\n\n## Fixed\n- A crash at the start\n',
  );
});
