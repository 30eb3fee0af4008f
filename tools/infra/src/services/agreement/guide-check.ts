import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../check.ts';
import { Helm } from '../../helm.ts';
import { helmCommands, valueFiles } from './guide.ts';

/** Options of an install that rendering has no use for, without values of their own. */
const ONLY_INSTALL = new Set(['--create-namespace', '--wait', '--reuse-values']);

const VERSION = ['--kube-version', '1.34.0'];
const GUIDE = ['docs', 'guides', 'deploy-on-eks.md'];
const READMES = ['orchestrator-dynamic', 'worker-agents', 'service-registry', 'neural-hive'];

interface Place {
  readonly root: string;
  /** Where the files of values are that the guide shows. */
  readonly folder: string;
  readonly files: ReadonlyMap<string, string>;
}

/** Renders every install and upgrade of a text; the least number that it must have. */
async function judgeText(
  helm: Helm,
  path: readonly string[],
  least: number,
  place: Place,
  report: Report,
): Promise<void> {
  const { root, folder, files } = place;
  const commands = helmCommands(readFileSync(join(root, ...path), 'utf8'));
  const point = path.slice(-2).join('/');
  if (commands.length < least) report.failed(point, `only ${commands.length} helm commands were found`);
  const located = (word: string): string => {
    if (word.startsWith('helm-charts/')) return join(root, word);
    return files.has(word)
      ? join(folder, word)
      : word.replace('=platform-ca.pem', `=${join(folder, 'platform-ca.pem')}`);
  };
  const given = new Map<string, readonly string[]>();
  for (const { release, chart, args } of commands) {
    const own = args.filter((word) => !ONLY_INSTALL.has(word)).map(located);
    // An upgrade goes on from the values of the install before it.
    const all = args.includes('--reuse-values') ? [...(given.get(release) ?? []), ...own] : own;
    given.set(release, all);
    const { code, stderr } = await helm.run(['template', release, join(root, chart), ...VERSION, ...all]);
    if (code === 0) report.passed(`${point}: ${release}`);
    else report.failed(`${point}: ${release}`, stderr.trim());
  }
}

/** What the guide and the charts' READMEs tell a reader to install is what the charts accept. */
export async function judgeGuide(root: string, report: Report): Promise<void> {
  const helm = await Helm.open();
  const folder = mkdtempSync(join(tmpdir(), 'guide-'));
  try {
    const files = valueFiles(readFileSync(join(root, ...GUIDE), 'utf8'));
    for (const [name, body] of files) writeFileSync(join(folder, name), body);
    writeFileSync(join(folder, 'platform-ca.pem'), 'the authority');
    const place = { root, folder, files };
    await judgeText(helm, GUIDE, 4, place, report);
    for (const chart of READMES) await judgeText(helm, ['helm-charts', chart, 'README.md'], 1, place, report);
    const chart = join(root, 'helm-charts', 'neural-hive');
    const values = [
      join(chart, 'values-prod.yaml'),
      join(folder, 'my-platform.yaml'),
      join(folder, 'my-rotations.yaml'),
    ];
    const { code, stderr } = await helm.run([
      ...['template', 'neural-hive', chart, ...VERSION, ...values.flatMap((file) => ['--values', file])],
    ]);
    if (code === 0) report.passed('guide: rotations');
    else report.failed('guide: rotations', stderr.trim());
  } finally {
    rmSync(folder, { recursive: true });
  }
}
