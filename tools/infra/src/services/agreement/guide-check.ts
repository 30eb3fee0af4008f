import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../check.ts';
import { Helm } from '../../helm.ts';
import { helmCommands, valueFiles } from './guide.ts';

/** Options of an install that rendering has no use for, without values of their own. */
const ONLY_INSTALL = new Set(['--create-namespace', '--wait', '--reuse-values']);

/** Renders every install of the guide with the guide's own values: what it shows is what the charts accept. */
export async function judgeGuide(root: string, report: Report): Promise<void> {
  const text = readFileSync(join(root, 'docs', 'guides', 'deploy-on-eks.md'), 'utf8');
  const helm = await Helm.open();
  const folder = mkdtempSync(join(tmpdir(), 'guide-'));
  try {
    const files = valueFiles(text);
    for (const [name, body] of files) writeFileSync(join(folder, name), body);
    writeFileSync(join(folder, 'platform-ca.pem'), 'the authority');
    const place = (word: string): string =>
      word.startsWith('helm-charts/') ? join(root, word) : files.has(word) ? join(folder, word) : word;
    const commands = helmCommands(text);
    if (commands.length < 4) report.failed('guide', `only ${commands.length} helm commands were found`);
    const given = new Map<string, readonly string[]>();
    for (const { release, chart, args } of commands) {
      const own = args
        .filter((word) => !ONLY_INSTALL.has(word))
        .map((word) => word.replace('=platform-ca.pem', `=${folder}/platform-ca.pem`));
      // An upgrade goes on from the values of the install before it.
      const all = args.includes('--reuse-values') ? [...(given.get(release) ?? []), ...own] : own;
      given.set(release, all);
      const { code, stderr } = await helm.run([
        'template',
        release,
        join(root, chart),
        '--kube-version',
        '1.34.0',
        ...all.map(place),
      ]);
      if (code === 0) report.passed(`guide: ${release}`);
      else report.failed(`guide: ${release}`, stderr.trim());
    }
    const rotations = ['template', 'neural-hive', join(root, 'helm-charts', 'neural-hive'), '--kube-version', '1.34.0'];
    const values = ['values-prod.yaml'].map((name) => join(root, 'helm-charts', 'neural-hive', name));
    for (const name of files.keys()) if (/platform|rotations/.test(name)) values.push(join(folder, name));
    const { code, stderr } = await helm.run([...rotations, ...values.flatMap((file) => ['--values', file])]);
    if (code === 0) report.passed('guide: rotations');
    else report.failed('guide: rotations', stderr.trim());
  } finally {
    rmSync(folder, { recursive: true });
  }
}
