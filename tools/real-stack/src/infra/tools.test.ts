import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { INFRASTRUCTURE_TOOLS, installTool, toolModule, toolVariable, toolVersion } from './tools.ts';

let cache: string;

beforeEach(() => {
  cache = mkdtempSync('/tmp/real-');
  for (const tool of INFRASTRUCTURE_TOOLS) vi.stubEnv(toolVariable(tool), '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

test.each(INFRASTRUCTURE_TOOLS)('the version of %s is the one that its committed module pins', (tool) => {
  const module = readFileSync(join(toolModule(tool), 'go.mod'), 'utf8');
  const [, path = ''] = /^tool (\S+)$/m.exec(module) ?? [];
  const pinned = [...module.matchAll(/^\s*(?:require )?(\S+) (v\S+)/gm)].find(([, name = '']) =>
    `${path}/`.startsWith(`${name}/`),
  );
  expect(pinned?.[2]).toBe(`v${toolVersion(tool)}`);
  expect(readFileSync(join(toolModule(tool), 'go.sum'), 'utf8')).toContain(`${pinned?.[1]} ${pinned?.[2]} h1:`);
});

test('without Go the reader is told what to install and what it is needed for', async () => {
  const failing = installTool('helm', { cache, go: '/nonexistent/go', log: () => {} });
  await expect(failing).rejects.toMatchObject({ code: 'go_missing' });
  await expect(failing).rejects.toThrow(
    /^Building Helm \S+ needs go, [^\n]*install Go[^\n]*\(blocks rendering[^\n]*\)$/,
  );
});

test('a program that the environment names is used as it is', async () => {
  vi.stubEnv('OPA_BINARY', '/somewhere/opa');
  expect(await installTool('opa', { cache, go: '/nonexistent/go' })).toBe('/somewhere/opa');
});
