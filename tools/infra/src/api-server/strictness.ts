import { match } from 'node:assert/strict';
import type { Manifests } from '../manifests.ts';
import { point } from '../point.ts';
import type { Rendering } from '../renderings.ts';
import { misspelt } from '../schemas/schema-check.ts';
import type { Stage } from './stage.ts';

/** What the server says to every object of a rendering, which is then not kept. */
export async function judgeStrictly(stage: Stage, { name, options }: Rendering): Promise<void> {
  const { helm, release, report } = stage;
  const manifests = await helm.render(options);
  const args = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', '-'];
  const apply = ({ all }: Manifests) =>
    release.kubectl(args, { input: all.map((one) => `---\n${JSON.stringify(one)}\n`).join('') });
  for (const one of manifests.all.flatMap(({ metadata }) => metadata.namespace ?? [])) {
    const label = 'pod-security.kubernetes.io/enforce=privileged';
    if (release.kubectl(['get', 'namespace', one]).code === 0) continue;
    release.kubectl(['create', 'namespace', one]);
    release.kubectl(['label', 'namespace', one, label]);
  }
  await point(report, `${name}: the server takes every object as it is, strictly`, () => {
    const { code, output } = apply(manifests);
    if (code !== 0) throw new RangeError(output);
  });
  await point(report, `${name}: and refuses a field that no type has`, () => {
    const { kinds, mutation } = misspelt(manifests);
    const { output } = apply(mutation.apply(manifests));
    for (const _ of kinds) match(output, /podManagmentPolicy/);
  });
}
