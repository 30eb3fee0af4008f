#!/usr/bin/env node
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type SchemaBlock, schemaOf } from './aws-schema.ts';

const USAGE = `usage: generate-schema <folder of the unpacked package @cdktf/provider-aws>

Writes tools/infra/aws-schema/schema.json with the resources and data sources that infrastructure/terraform uses.
The package is large and holds every resource of AWS; the file is what is needed of it.`;

const ROOT = resolve(import.meta.dirname, '..', '..', '..', '..');
const TERRAFORM = join(ROOT, 'infrastructure', 'terraform');
const SCHEMA = join(ROOT, 'tools', 'infra', 'aws-schema', 'schema.json');

/** The folder of `aws_kms_key` is `kms-key`. */
function folderOf(type: string, kind: 'resource' | 'data'): string {
  return `${kind === 'data' ? 'data-aws-' : ''}${type.replace(/^aws_/, '').replaceAll('_', '-')}`;
}

function usedIn(folder: string, kind: 'resource' | 'data'): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.tf'));
  const pattern = new RegExp(`^${kind} "(aws_\\w+)" `, 'gm');
  const types = files.flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(pattern)]);
  return [...new Set(types.map(([, type = '']) => type))].sort();
}

function main([folder]: readonly string[]): number {
  if (folder === undefined) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const read = (part: string): SchemaBlock => {
    const source = (file: string): string => readFileSync(join(folder, 'lib', part, file), 'utf8');
    return schemaOf({ js: source('index.js'), types: source('index.d.ts') });
  };
  const all = (kind: 'resource' | 'data'): Record<string, SchemaBlock> =>
    Object.fromEntries(usedIn(TERRAFORM, kind).map((type) => [type, read(folderOf(type, kind))]));
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  const provider = /providerVersion: '([\d.]+)'/.exec(readFileSync(join(folder, 'lib', 'kms-key', 'index.js'), 'utf8'));
  const schema = {
    source: `@cdktf/provider-aws ${version}, of hashicorp/aws ${provider?.[1]}`,
    provider: read('provider'),
    resources: all('resource'),
    data_sources: all('data'),
  };
  writeFileSync(SCHEMA, `${JSON.stringify(schema, undefined, 2)}\n`);
  process.stdout.write(`${SCHEMA}: ${Object.keys(schema.resources).length} resources\n`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
