#!/usr/bin/env node
// A file of its own, because npm links commands at install, and what is built is not there yet then.
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.js', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  process.stderr.write('hive: nothing is built yet: run `npm start`, or `npm run build` first.\n');
  process.exitCode = 3;
}
