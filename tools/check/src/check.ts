import { toolProblems } from './command.ts';
import { openRepository, type Rule } from './repository.ts';
import { fileLength } from './rules/file-length.ts';
import { importDirection } from './rules/import-direction.ts';
import { licences } from './rules/licences.ts';
import { metricList } from './rules/metric-list.ts';
import { privateNames } from './rules/private-names.ts';
import { workspaceReadme } from './rules/workspace-readme.ts';

const RULES: readonly Rule[] = [
  { name: 'types', check: ({ root }) => toolProblems(root, 'tsc', ['-p', 'tsconfig.check.json']) },
  { name: 'lint and format', check: ({ root }) => toolProblems(root, 'biome', ['check', '--error-on-warnings', '.']) },
  importDirection,
  fileLength,
  licences,
  workspaceReadme,
  privateNames,
  metricList,
];

const repository = openRepository(process.cwd());
let failed = 0;
for (const rule of RULES) {
  const problems = rule.check(repository);
  process.stdout.write(`${problems.length === 0 ? 'ok    ' : 'FAILED'} ${rule.name}\n`);
  for (const { file, message } of problems) process.stdout.write(`         ${file}: ${message}\n`);
  if (problems.length > 0) failed += 1;
}
process.stdout.write(`${RULES.length - failed} checks passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
