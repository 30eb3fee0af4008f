import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMPONENTS, type Component } from './components.ts';
import { type ComponentTotals, countTests } from './totals.ts';
import { readUses, type UsedProgram } from './used.ts';

const SUFFIX = '.real.test.ts';

/** `x.<component>.real.test.ts` belongs to that component, plain `x.real.test.ts` to the first one. */
export function patternsOf(component: Component): { include: string; exclude: readonly string[] } {
  const named = (name: string): string => `**/*.${name}${SUFFIX}`;
  if (component.name !== COMPONENTS[0]?.name) return { include: named(component.name), exclude: [] };
  return { include: `**/*${SUFFIX}`, exclude: COMPONENTS.slice(1).map(({ name }) => named(name)) };
}

export interface ComponentRun {
  readonly totals: ComponentTotals;
  /** Every program that its tests had run, its own and others. */
  readonly used: readonly UsedProgram[];
}

/** Installs the component and runs its tests; their output goes to standard error. */
export async function runComponent(component: Component, root: string): Promise<ComponentRun> {
  const { name, version } = component;
  const env = await component.install((line) => process.stderr.write(`${line}\n`));
  const folder = mkdtempSync(join(tmpdir(), 'real-'));
  const outputFile = join(folder, 'report.json');
  const usedFile = join(folder, 'used');
  writeFileSync(usedFile, '');
  const { include, exclude } = patternsOf(component);
  try {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const args = ['run', '--config', 'vitest.real.config.ts', '--reporter=default', '--reporter=json'];
    const child = spawn(process.execPath, [vitest, ...args, `--outputFile=${outputFile}`], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: {
        ...process.env,
        ...env,
        REAL_STACK_INCLUDE: include,
        REAL_STACK_EXCLUDE: exclude.join(','),
        REAL_STACK_USED: usedFile,
      },
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    const counted = countTests(readReport(outputFile));
    // An error outside of any test fails the run and is in no count.
    const failed = counted.failed === 0 && code !== 0 ? 1 : counted.failed;
    return { totals: { name, version, ...counted, failed }, used: readUses(usedFile, root) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(path: string): Parameters<typeof countTests>[0] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Parameters<typeof countTests>[0];
  } catch {
    return undefined;
  }
}
