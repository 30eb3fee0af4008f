import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { CertificateAuthority } from './certificate-authority.ts';
import { describeWorkloadApi, type WorkloadApiTarget } from './workload-api-contract.ts';
import { WorkloadApiServer } from './workload-api-server.ts';
import { WorkloadIssuer } from './workload-issuer.ts';

/** The server that the dev authority has a socket of for each workload. */
async function authority(): Promise<WorkloadApiTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'contract-'));
  const issuer = new WorkloadIssuer({ authority: CertificateAuthority.create('contract.test') });
  const path = join(folder, 'agent.sock');
  let ids: readonly string[] = [];
  let server = await WorkloadApiServer.listen({ issuer, path, ids });
  const set = (next: readonly string[]): void => {
    ids = next;
    server.setIds(ids);
  };
  return {
    endpoint: server.endpoint,
    id: 'spiffe://contract.test/workload',
    identify: async (id) => set([id]),
    withdraw: async () => set([]),
    async rotate() {
      issuer.rotateX509();
    },
    async restart() {
      await server.close();
      server = await WorkloadApiServer.listen({ issuer, path, ids });
    },
    async close() {
      await server.close();
      issuer.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describe('on the authority of this library', () => {
  describeWorkloadApi(authority, { describe, test, beforeAll, afterAll });
});
