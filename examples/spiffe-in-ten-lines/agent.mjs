import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '@neural-hive/security/testing';

/**
 * Stands for the SPIRE agent of a machine: a Workload API with a socket for each workload. Answers the endpoints in the
 * order of `ids`.
 */
export async function startAgent(ids, x509TtlSeconds) {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  const issuer = new WorkloadIssuer({ authority: CertificateAuthority.create('example.org'), x509TtlSeconds });
  const servers = await Promise.all(
    ids.map((id, index) => WorkloadApiServer.listen({ issuer, ids: [id], path: join(folder, `${index}.sock`) })),
  );
  return {
    endpoints: servers.map(({ endpoint }) => endpoint),
    stop: async () => {
      issuer.close();
      await Promise.all(servers.map((server) => server.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
