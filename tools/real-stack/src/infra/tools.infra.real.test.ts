import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { INFRASTRUCTURE_TOOLS, installTool, toolVersion } from './tools.ts';

const run = promisify(execFile);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/infra-');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const VERSION_ARGUMENTS = {
  helm: ['version'],
  kubeconform: ['-v'],
  tflint: ['--version'],
  opa: ['version'],
  kwok: ['--version'],
} as const;

test.each(INFRASTRUCTURE_TOOLS)('%s says that it is of the pinned version', async (tool) => {
  const { stdout } = await run(await installTool(tool), VERSION_ARGUMENTS[tool]);
  expect(stdout).toContain(toolVersion(tool));
});

test('Helm judges a chart by a Kubernetes of today, and renders it', async () => {
  const chart = (kubeVersion: string): string =>
    `apiVersion: v2\nname: a\nversion: 1.0.0\nkubeVersion: "${kubeVersion}"\n`;
  mkdirSync(join(folder, 'templates'));
  writeFileSync(
    join(folder, 'templates', 'map.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n',
  );
  writeFileSync(join(folder, 'Chart.yaml'), chart('>= 1.32.0-0'));
  const helm = await installTool('helm');
  const { stdout } = await run(helm, ['template', 'release', folder]);
  expect(stdout).toContain('name: release');
  writeFileSync(join(folder, 'Chart.yaml'), chart('>= 1.99.0-0'));
  await expect(run(helm, ['template', 'release', folder])).rejects.toThrow('1.99');
});

test('TFLint finds an unused variable by the rules that are built in', async () => {
  writeFileSync(join(folder, 'main.tf'), 'terraform {\n  required_version = ">= 1.11"\n}\n');
  const tflint = await installTool('tflint');
  await run(tflint, [`--chdir=${folder}`]);
  writeFileSync(join(folder, 'variables.tf'), 'variable "a" {\n  type = string\n}\n');
  await expect(run(tflint, [`--chdir=${folder}`])).rejects.toMatchObject({
    stdout: expect.stringContaining('terraform_unused_declarations'),
  });
});

test('kubeconform finds a field that a schema does not have', async () => {
  const schema = { type: 'object', properties: { apiVersion: {}, kind: {} }, additionalProperties: false };
  writeFileSync(join(folder, 'thing.json'), JSON.stringify(schema));
  const kubeconform = await installTool('kubeconform');
  const check = (field: string) => {
    writeFileSync(join(folder, 'thing.yaml'), `apiVersion: v1\nkind: Thing\n${field}`);
    return run(kubeconform, [
      '-strict',
      '-schema-location',
      join(folder, '{{ .ResourceKind }}.json'),
      join(folder, 'thing.yaml'),
    ]);
  };
  await check('');
  await expect(check('speck: 1\n')).rejects.toMatchObject({ stdout: expect.stringContaining('speck') });
});
