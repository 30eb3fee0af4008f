import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askServer, reasonOf } from '../ask-server.ts';
import { ClusterError } from '../cluster-error.ts';
import type { SealedBox } from './sealed-box.ts';

export interface ApiServer {
  /** `https://kubernetes.default.svc` */
  readonly address: string;
  /** With `token` and `ca.crt`. */
  readonly folder: string;
}

export const IN_CLUSTER: ApiServer = {
  address: 'https://kubernetes.default.svc',
  folder: '/var/run/secrets/kubernetes.io/serviceaccount',
};

/** Makes a Secret with a name of its own, so that no earlier one is lost, and returns the name. */
export async function storeInSecret(
  box: SealedBox,
  where: { readonly namespace: string; readonly secretName: string },
  api: ApiServer = IN_CLUSTER,
): Promise<string> {
  const { namespace, secretName } = where;
  const token = (await readFile(join(api.folder, 'token'), 'utf8')).trim();
  const answer = await askServer(api.address, {
    path: `/api/v1/namespaces/${namespace}/secrets`,
    method: 'POST',
    ca: join(api.folder, 'ca.crt'),
    headers: { authorization: `Bearer ${token}` },
    body: {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: { generateName: `${secretName}-`, namespace },
      stringData: { 'keys.json': JSON.stringify(box) },
    },
  });
  const name = (answer.fields.metadata as { readonly name?: unknown } | undefined)?.name;
  if (answer.status !== 201 || typeof name !== 'string') {
    throw new ClusterError('refused', `Making a Secret in ${namespace}: the API server answered ${reasonOf(answer)}`);
  }
  return name;
}
