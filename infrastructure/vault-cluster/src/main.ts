#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runCommandLine } from './command-line.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  log: (line) => process.stdout.write(`${line}\n`),
  error: (line) => process.stderr.write(`${line}\n`),
  readInput: () => readFileSync(0, 'utf8'),
});
