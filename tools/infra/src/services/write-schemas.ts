#!/usr/bin/env node
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { serviceChart } from './service-charts.ts';
import { schemas } from './values-schema.ts';

const ROOT = resolve(import.meta.dirname, '..', '..', '..', '..');

for (const [name, schema] of Object.entries(schemas(ROOT))) {
  writeFileSync(join(serviceChart(ROOT, name), 'values.schema.json'), `${JSON.stringify(schema, undefined, 2)}\n`);
}
