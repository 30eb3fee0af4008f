import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conformanceDocument, DOCUMENT } from './conformance/document.ts';
import { namedTests } from './conformance/named-tests.ts';
import { nameOf, POINTS } from './conformance/points.ts';
import { judge, runTests } from './conformance/run.ts';
import { openRepository } from './repository.ts';

const json = process.argv.includes('--json');
const repository = openRepository(process.cwd());
const tests = namedTests(repository);
writeFileSync(join(repository.root, DOCUMENT), conformanceDocument(tests));

const verdicts = judge(tests, runTests(repository.root, tests));
const unmet = verdicts.flatMap(({ id, why }) => (why === undefined ? [] : [{ id, why }]));
const met = verdicts.length - unmet.length;
if (json) {
  process.stdout.write(`${JSON.stringify({ met, total: verdicts.length, unmet })}\n`);
} else {
  for (const [index, { why }] of verdicts.entries()) {
    const point = POINTS[index];
    if (point === undefined) continue;
    process.stdout.write(
      `${why === undefined ? 'met    ' : 'NOT MET'} ${nameOf(point).padEnd(18)} ${point.level.padEnd(6)} ${point.rule}\n`,
    );
    if (why !== undefined) process.stdout.write(`${' '.repeat(34)} ${why}\n`);
  }
  process.stdout.write(`${met} of ${verdicts.length} points met; the tests of each: ${DOCUMENT}\n`);
}
process.exitCode = verdicts.some(({ unexpected }) => unexpected) ? 1 : 0;
