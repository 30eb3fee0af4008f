import { match } from 'node:assert/strict';
import { messageOf } from '@neural-hive/security/common';
import type { Check, CheckContext } from '../check.ts';
import { point } from '../point.ts';
import { renderings } from '../renderings.ts';
import { production as vault } from '../vault/installation.ts';
import { FALLBACK } from '../vault/variants.ts';
import { judgeDisruption } from './disruption.ts';
import { judgeInstall, judgeTest, judgeUninstall, judgeUpgrade, keptObjects } from './life-cycle.ts';
import { judgePodSecurity } from './pod-security.ts';
import { judgeRights } from './rights.ts';
import { judgeSpread } from './spread.ts';
import { openStage, type Stage } from './stage.ts';
import { judgeStrictly } from './strictness.ts';
import { type Subject, subjects } from './subjects.ts';

async function judge(stage: Stage, subject: Subject, root: string): Promise<void> {
  const manifests = await stage.helm.render(subject.options);
  const kept = keptObjects(manifests);
  const before = await stage.objects.all();
  const startMs = performance.now();
  await judgeInstall(stage, subject, manifests);
  await judgePodSecurity(stage, subject, manifests);
  await judgeRights(stage, subject, manifests, root);
  await judgeSpread(stage, subject, manifests);
  await judgeTest(stage, subject, manifests);
  await judgeDisruption(stage, subject, manifests);
  await judgeUninstall(stage, subject, { before, kept });
  await judgeUpgrade(stage, subject, root);
  await judgeControls(stage, subject, root);
  await judgeUninstall(stage, subject, { before, kept });
  stage.progress(`${subject.name}: ${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
}

/** That helm and the server can say no: without that the points above show nothing. */
async function judgeControls(stage: Stage, { name, options }: Subject, root: string): Promise<void> {
  const refusal = (values: Readonly<Record<string, unknown>>): Promise<string> =>
    stage.release
      .upgrade(vault(root, { ...FALLBACK, ...values }), { waitSeconds: 10 })
      .then(() => 'it was accepted', messageOf);
  if (options.release !== 'vault') return;
  await point(stage.report, `${name}: an upgrade of what cannot be changed is refused`, async () => {
    match(await refusal({ server: { dataStorage: { size: '20Gi' } } }), /spec\.volumeClaimTemplates.*immutable/s);
  });
  await point(stage.report, `${name}: helm does not say that pods are ready which nothing made`, async () => {
    match(await refusal({ injector: { priorityClassName: 'nothing' } }), /deadline exceeded|timed out/);
  });
}

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const stage = await openStage(report, progress);
  try {
    for (const subject of subjects(root)) await judge(stage, subject, root);
    for (const rendering of renderings(root)) await judgeStrictly(stage, rendering);
  } finally {
    await stage.cluster.stop();
  }
}

export const apiServerCheck: Check = {
  name: 'api-server',
  what: 'every chart on a real API server: install, upgrade, test, uninstall, Pod Security, zones, budgets, rights',
  run,
};
