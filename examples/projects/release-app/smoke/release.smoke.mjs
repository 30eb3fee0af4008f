// Checks a deployed release: node release.smoke.mjs <folder of the release> <version expected>
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const [folder, expected] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, name)).href);

test('the release can be loaded', async () => {
  const { parseVersion } = await load('version.mjs');
  assert.deepEqual(parseVersion('1.2.3'), { major: 1, minor: 2, patch: 3 });
});

test(`the release is version ${expected}`, async () => {
  const { VERSION } = await load('version.mjs');
  assert.equal(VERSION, expected);
});
