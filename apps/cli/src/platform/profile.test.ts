import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { PROFILES } from './profile.ts';

const BUILT = new URL('../../dist/platform/profile.js', import.meta.url).pathname;

// Node resolves the names of a CommonJS module otherwise than the tests do.
test.each(PROFILES)('the profile %s loads as it was built', async (name) => {
  const script = `const { profileOf } = await import(${JSON.stringify(pathToFileURL(BUILT).href)});
console.log((await profileOf('${name}')).name);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout.trim()).toBe(name);
});
