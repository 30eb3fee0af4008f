import { fuzz } from './fuzz/run.ts';
import { targets } from './fuzz/targets.ts';

const DEFAULT_CASES = 100_000;

function option(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? undefined : process.argv[at + 1];
}

function number(name: string, fallback: number): number {
  const value = Number(option(name) ?? fallback);
  if (!Number.isSafeInteger(value) || value < 1) {
    process.stderr.write(`--${name} must be a number from 1 on\n`);
    process.exit(2);
  }
  return value;
}

const cases = number('cases', DEFAULT_CASES);
const seed = number('seed', Date.now() % 2 ** 31);
const only = option('target');
let failed = 0;
process.stderr.write(`seed ${seed}\n`);
const chosen = targets().filter(({ name }) => only === undefined || name === only);
for (const target of chosen) {
  const { failures, examples } = fuzz(target, Math.ceil(cases / chosen.length), seed);
  process.stdout.write(
    `${JSON.stringify({ target: target.name, cases: Math.ceil(cases / chosen.length), failures })}\n`,
  );
  for (const example of examples) process.stderr.write(`${target.name}: ${example}\n`);
  failed += failures;
}
process.exitCode = failed === 0 ? 0 : 1;
