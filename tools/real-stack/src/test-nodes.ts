import { messageOf } from '@neural-hive/security/common';
import { installNodes, NODE_LINES, pinnedNode } from './nodes/install.ts';
import { type NodeRun, runOnNode } from './nodes/run.ts';
import { addUp, fallsShort } from './totals.ts';

const USAGE = `usage: npm run test:nodes -- [line…]
lines: ${NODE_LINES.map((line) => `${line} (${pinnedNode(line) ?? 'none for this machine'})`).join(', ')}; default: all`;

/** Wrong arguments end with 2, a Node that cannot be installed with 3, tests that fall short with 1. */
async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((line) => !NODE_LINES.some((known) => known === line));
  if (unknown.length > 0) throw new RangeError(`unknown line of Node: ${unknown.join(', ')}\n${USAGE}`);
  const programs = await installNodes();
  const runs: NodeRun[] = [];
  for (const line of NODE_LINES.filter((known) => args.length === 0 || args.includes(known))) {
    runs.push(await runOnNode(programs[line] ?? '', pinnedNode(line) ?? line, process.cwd()));
  }
  for (const { version, passed, failed, skipped, warnings } of runs) {
    process.stdout.write(`node ${version}: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    for (const warning of warnings) process.stdout.write(`  ${warning}\n`);
  }
  const totals = addUp(runs);
  process.stdout.write(`${totals.passed} passed, ${totals.failed + totals.skipped} failed\n`);
  return fallsShort(totals) ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = error instanceof RangeError ? 2 : 3;
  },
);
