import type { MotoServer } from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import type { Report } from '../../check.ts';
import type { Manifests } from '../../manifests.ts';
import type { Account } from './aws.ts';
import type { LeasedDatabase } from './database.ts';
import type { Identities } from './identities.ts';
import type { VaultCluster } from './vault-cluster.ts';

/** What the steps of the trial share. */
export interface Trial {
  readonly root: string;
  readonly manifests: Manifests;
  readonly cluster: VaultCluster;
  readonly account: Account;
  readonly identities: Pick<Identities, 'reviewer' | 'token'>;
  readonly database: LeasedDatabase;
  /** The services' charts with injected agents, by name. */
  readonly services: Readonly<Record<string, Manifests>>;
  /** The `bao` program. */
  readonly program: string;
  readonly kms: MotoServer;
  readonly bucket: string;
  readonly auditBucket: string;
  /** Of this run, made from recovery keys. */
  rootToken: string;
}

/** One thing that is shown. */
export interface Step {
  readonly what: string;
  /** Throws where it is not so. Returns what the reader may want to know. */
  readonly show: (trial: Trial) => Promise<string | undefined>;
}

/** In order; a step that fails ends the trial, since the later ones need it. */
export async function runSteps(
  steps: readonly Step[],
  trial: Trial,
  report: Report,
  progress: (line: string) => void,
): Promise<void> {
  for (const [index, { what, show }] of steps.entries()) {
    try {
      const note = await show(trial);
      progress(`${what}${note === undefined ? '' : `: ${note}`}`);
      report.passed(what);
    } catch (error) {
      report.failed(what, messageOf(error));
      for (const later of steps.slice(index + 1)) report.failed(later.what, 'not tried after the failure above');
      return;
    }
  }
}
