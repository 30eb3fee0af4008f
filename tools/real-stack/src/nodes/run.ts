import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { type ComponentTotals, countTests } from '../totals.ts';
import { warningsIn } from './warnings.ts';

export interface NodeRun extends ComponentTotals {
  /** What this Node warned of, each once. They count as failed. */
  readonly warnings: readonly string[];
}

/** Runs the tests of the libraries on another Node; their output goes to standard error. */
export async function runOnNode(program: string, version: string, root: string): Promise<NodeRun> {
  const folder = mkdtempSync(join(tmpdir(), 'nodes-'));
  const outputFile = join(folder, 'report.json');
  try {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const args = ['run', '--project', 'parts', '--reporter=default', '--reporter=json', `--outputFile=${outputFile}`];
    const child = spawn(program, [vitest, ...args, 'libraries/'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      // What a test starts as `node` is this Node too.
      env: { ...process.env, PATH: `${dirname(program)}${delimiter}${process.env.PATH ?? ''}` },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
        process.stderr.write(chunk);
      });
    }
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    const counted = countTests(readReport(outputFile));
    const warnings = warningsIn(output);
    // An error outside of any test fails the run and is in no count.
    const failed = counted.failed === 0 && code !== 0 ? 1 : counted.failed;
    return { name: 'node', version, ...counted, failed: failed + warnings.length, warnings };
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
