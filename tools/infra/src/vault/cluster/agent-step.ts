import { deepEqual, equal, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { AUDIENCES, VAULT_MOUNTS, WORKLOADS } from '@neural-hive/contracts';
import { at } from '../../manifests.ts';
import { canLogIn } from './database.ts';
import { type Annotations, injectedSecrets, renderByAgent } from './injected-agent.ts';
import type { Step, Trial } from './trial.ts';

const INJECTED = ['orchestrator-dynamic', 'worker-agents'] as const;

/** Every secret of the KV engine that is injected has a value that says whose it is. */
async function writeSecrets({ cluster, rootToken }: Trial, annotations: Annotations): Promise<void> {
  const paths = injectedSecrets(annotations).map(([, path]) => path);
  for (const path of paths.filter((one) => one.startsWith(`${VAULT_MOUNTS.kv}/`))) {
    const body = { data: { of: path } };
    const { status, text } = await cluster.call(cluster.first, `/v1/${path}`, {
      method: 'POST',
      token: rootToken,
      body,
    });
    ok(status === 200 || status === 204, `writing ${path}: ${status} ${text}`);
  }
}

/** What the mission's annotations are for. */
export const AGENT_STEP: Step = {
  what: 'agents with the annotations of the services’ charts log in and render every template',
  show: async (trial) => {
    const { cluster, program, identities, services, database } = trial;
    const shown: string[] = [];
    for (const name of INJECTED) {
      const { namespace, serviceAccount } = WORKLOADS[name];
      const found = services[name]?.at('Deployment', name, 'spec.template.metadata.annotations');
      const annotations = found as Annotations;
      await writeSecrets(trial, annotations);
      const token = await identities.token(serviceAccount, [AUDIENCES.vault], namespace);
      const folder = join(cluster.first.place.folder, name);
      const rendered = await renderByAgent({ program, server: cluster.first, folder, annotations, token });
      for (const [file, path] of injectedSecrets(annotations)) {
        if (path.startsWith(`${VAULT_MOUNTS.kv}/`)) deepEqual(rendered[file], { of: path });
        else {
          const { username, password } = rendered[file] as { username: string; password: string };
          ok(await canLogIn(database, username, password), `${path}: the login does not work`);
        }
      }
      shown.push(`${name}: ${injectedSecrets(annotations).length}`);
      equal(at(annotations, ['vault.hashicorp.com/agent-inject']), 'true');
    }
    return shown.join(', ');
  },
};
