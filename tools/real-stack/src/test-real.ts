import { parseArgs } from 'node:util';
import { messageOf } from '@neural-hive/security/common';
import { COMPONENTS, isCalled } from './components.ts';
import { type ComponentRun, runComponent } from './run-component.ts';
import { addUp, fallsShort, mergeUses, type RealReport } from './totals.ts';

const USAGE = `usage: npm run test:real -- [--json] [component…]
components: ${COMPONENTS.map(({ name, version }) => `${name} (${version})`).join(', ')}; default: all`;

/** Wrong arguments end with 2, a component that cannot be installed with 3, tests that fall short with 1. */
async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const unknown = positionals.filter((name) => !COMPONENTS.some((component) => isCalled(component, name)));
  if (unknown.length > 0) throw new RangeError(`unknown component: ${unknown.join(', ')}\n${USAGE}`);
  const chosen = COMPONENTS.filter(
    (component) => positionals.length === 0 || positionals.some((name) => isCalled(component, name)),
  );
  const runs: ComponentRun[] = [];
  for (const component of chosen) runs.push(await runComponent(component, process.cwd()));
  const totals = addUp(runs.map((run) => run.totals));
  const report: RealReport = { ...totals, used: mergeUses(runs.map(({ used }) => used)) };
  if (values.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    for (const { name, version, tests } of report.used) {
      process.stdout.write(`${name} ${version} was used by ${tests.join(', ')}\n`);
    }
    for (const { name, version, passed, failed, skipped } of totals.components) {
      process.stdout.write(`${name} ${version}: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    }
    process.stdout.write(`${totals.passed} passed, ${totals.failed + totals.skipped} failed\n`);
  }
  return fallsShort(totals) ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = error instanceof RangeError || error instanceof TypeError ? 2 : 3;
  },
);
