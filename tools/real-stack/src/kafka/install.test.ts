import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installKafka, KAFKA_VERSION, PLATFORMATIC_KAFKA_VERSION, parseChecksums, verifyChecksums } from './install.ts';

const COMMITTED = resolve(import.meta.dirname, '..', '..');
const JAVA_17 = '#!/bin/sh\necho \'openjdk version "17.0.15" 2025-04-15\' >&2\n';

let cache: string;

beforeEach(() => {
  cache = mkdtempSync('/tmp/real-');
});
afterEach(() => {
  rmSync(cache, { recursive: true });
});

function program(name: string, script: string): string {
  const path = join(cache, name);
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

test('the versions are those that the committed lists pin', () => {
  const sums = parseChecksums(readFileSync(join(COMMITTED, 'kafka', 'SHA256SUMS'), 'utf8'));
  expect(sums.has(`kafka_2.13-${KAFKA_VERSION}.jar`)).toBe(true);
  const lock = JSON.parse(readFileSync(join(COMMITTED, 'platformatic-kafka', 'package-lock.json'), 'utf8'));
  expect(lock.packages['node_modules/@platformatic/kafka'].version).toBe(PLATFORMATIC_KAFKA_VERSION);
});

test('a jar that is another, is missing or is not listed is refused', () => {
  const hash = createHash('sha256').update('jar').digest('hex');
  writeFileSync(join(cache, 'a.jar'), 'jar');
  verifyChecksums(cache, new Map([['a.jar', hash]]), 'Trying');
  const verify = (sums: [string, string][]) => () => verifyChecksums(cache, new Map(sums), 'Trying');
  expect(verify([['a.jar', hash.replace(/^./, (c) => (c === '0' ? '1' : '0'))]])).toThrow('a.jar is not the file');
  expect(
    verify([
      ['a.jar', hash],
      ['b.jar', hash],
    ]),
  ).toThrow('b.jar was not downloaded');
  expect(verify([])).toThrow('a.jar is not in SHA256SUMS');
  expect(() => parseChecksums('abc a.jar')).toThrow(TypeError);
});

test('what Maven brings is judged by the committed list, and nothing is left of what was refused', async () => {
  const java = program('java', JAVA_17);
  const maven = program(
    'mvn',
    '#!/bin/sh\nfor a; do case $a in -DoutputDirectory=*) cd $(echo $a | cut -d= -f2) && echo x > evil.jar;; esac; done\n',
  );
  const failing = installKafka({ cache, maven, java, log: () => undefined });
  await expect(failing).rejects.toThrow('evil.jar is not in SHA256SUMS');
  expect(readdirSync(cache).filter((name) => name.startsWith('kafka-'))).toEqual([]);
});

test('without Java, with an old one, or without Maven one line says what to install', async () => {
  const log = (): void => undefined;
  const noJava = installKafka({ cache, java: '/nonexistent/java', log });
  await expect(noJava).rejects.toMatchObject({ code: 'java_missing' });
  await expect(noJava).rejects.toThrow(/^[^\n]*needs java[^\n]*17 or newer$/);
  const old = program('java', '#!/bin/sh\necho \'openjdk version "11.0.2"\' >&2\n');
  await expect(installKafka({ cache, java: old, log })).rejects.toThrow('needs Java 17 or newer');
  const noMaven = installKafka({ cache, java: program('java', JAVA_17), maven: '/nonexistent/mvn', log });
  await expect(noMaven).rejects.toMatchObject({ code: 'maven_missing' });
  expect(existsSync(join(cache, 'kafka'))).toBe(false);
});
