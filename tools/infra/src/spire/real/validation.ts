import { equal, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../../check.ts';
import type { Helm } from '../../helm.ts';
import { listAt } from '../../manifests.ts';
import { point } from '../../point.ts';
import { configurationText } from '../configuration.ts';
import { RENDERINGS, rendering } from '../renderings.ts';
import { POD } from '../rules/pods.ts';

type Program = 'spire-server' | 'spire-agent';

/** What the program says against a configuration that only was put elsewhere; undefined when it accepts it. */
function complaint(
  binaries: string,
  folder: string,
  program: Program,
  text: string,
  options: readonly string[],
): string | undefined {
  const file = join(folder, `${program}.conf`);
  writeFileSync(file, text);
  const env = { PATH: '/usr/bin:/bin', POD_NAME: `${program}-0` };
  const args = ['validate', '-config', file, ...options];
  const { status, stdout, stderr } = spawnSync(join(binaries, program), args, { encoding: 'utf8', env });
  return status === 0 ? undefined : `${stdout}${stderr}`.trim();
}

/** Has SPIRE’s programs judge what every rendering configures, and the same with a mistake. */
export async function judgeConfigurations(
  helm: Helm,
  root: string,
  binaries: string,
  folder: string,
  report: Report,
): Promise<void> {
  for (const name of RENDERINGS) {
    const manifests = await helm.render(rendering(root, name));
    for (const [program, kind] of [
      ['spire-server', 'StatefulSet'],
      ['spire-agent', 'DaemonSet'],
    ] as const) {
      const text = configurationText(manifests, program);
      // As the pod starts it: run -config <file> and what else.
      const options = listAt(manifests.get(kind, program), `${POD}.containers.0.args`).slice(3).map(String);
      const judge = (of: string): string | undefined => complaint(binaries, folder, program, of, options);
      await point(report, `${program} validate, ${name}`, () => equal(judge(text), undefined));
      // The control: the same with one name misspelt.
      const misspelt = text.replace('"trust_domain"', '"trustdomain"');
      await point(report, `${program} validate refuses a misspelt name, ${name}`, () => ok(judge(misspelt)));
    }
  }
}
