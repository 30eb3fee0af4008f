import { parseArgs } from 'node:util';
import { messageOf } from '@neural-hive/security/common';
import { type CheckTotals, runCheck } from './check.ts';
import { CHECKS } from './checks.ts';

const USAGE = `usage: npm run infra -- [--json] [check…]

Renders, validates and tests the charts and the Terraform code; the last line is \`N passed, N failed\`, or with --json
{"checks":[{"name","passed","failed","skipped"}]}. A skipped point counts as failed.
checks, default all:
${CHECKS.map(({ name, what }) => `  ${name.padEnd(22)} ${what}`).join('\n')}
Exit codes: 0 all passed, 1 something failed, was skipped, or nothing ran, 2 wrong arguments.`;

const progress = (line: string): boolean => process.stderr.write(`${line}\n`);

function counts({ passed, failed, skipped }: CheckTotals): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const unknown = positionals.filter((name) => !CHECKS.some((check) => check.name === name));
  if (unknown.length > 0) throw new RangeError(`unknown check: ${unknown.join(', ')}\n${USAGE}`);
  const chosen = CHECKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const checks: CheckTotals[] = [];
  for (const [index, check] of chosen.entries()) {
    progress(`[${index + 1}/${chosen.length}] ${check.name}: ${check.what}`);
    const started = performance.now();
    const totals = await runCheck(check, process.cwd(), progress);
    progress(`  ${counts(totals)} in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
    checks.push(totals);
  }
  const sum = (key: 'passed' | 'failed' | 'skipped'): number => checks.reduce((total, one) => total + one[key], 0);
  const short = sum('failed') + sum('skipped');
  if (values.json) process.stdout.write(`${JSON.stringify({ checks })}\n`);
  else {
    for (const totals of checks) process.stdout.write(`${totals.name}: ${counts(totals)}\n`);
    process.stdout.write(`${sum('passed')} passed, ${short} failed\n`);
  }
  return short === 0 && sum('passed') > 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = error instanceof RangeError || error instanceof TypeError ? 2 : 1;
  },
);
