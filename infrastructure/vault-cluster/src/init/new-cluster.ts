import { Secret } from '@neural-hive/security/common';
import { z } from 'zod';
import { askServer, reasonOf, type ServerAnswer } from '../ask-server.ts';
import { ClusterError } from '../cluster-error.ts';
import type { ClusterSettings } from '../settings.ts';

const answerSchema = z.object({
  recovery_keys: z.array(z.string()).min(1),
  recovery_keys_base64: z.array(z.string()).min(1),
  root_token: z.string().min(1),
});

/** What initialising gives, once. */
export interface NewKeys {
  readonly recoveryKeys: Secret<readonly string[]>;
  readonly recoveryKeysBase64: Secret<readonly string[]>;
  readonly rootToken: Secret;
}

type Server = Pick<ClusterSettings, 'servers' | 'ca'>;

/** The server that is initialised; the others join it. */
export function firstServer({ servers }: Server): string {
  const [first] = servers;
  if (first === undefined) throw new ClusterError('settings_invalid', 'cluster.servers is empty');
  return first;
}

/** Whether the first server has been initialised. @throws ClusterError while it does not answer */
export async function isInitialised(cluster: Server): Promise<boolean> {
  const answer = await askServer(firstServer(cluster), { path: '/v1/sys/init', ca: cluster.ca });
  if (typeof answer.fields.initialized !== 'boolean') {
    throw new ClusterError('refused', `Asking whether it is initialised: the server answered ${reasonOf(answer)}`);
  }
  return answer.fields.initialized;
}

/** Recovery keys, not unseal keys: the seal unseals by itself. */
export async function initialise(
  cluster: Server,
  { shares, threshold }: { readonly shares: number; readonly threshold: number },
): Promise<NewKeys> {
  const answer = await askServer(firstServer(cluster), {
    path: '/v1/sys/init',
    method: 'PUT',
    ca: cluster.ca,
    body: { recovery_shares: shares, recovery_threshold: threshold },
    timeoutMs: 120_000,
  });
  const parsed = answerSchema.safeParse(answer.fields);
  if (answer.status !== 200 || !parsed.success) {
    throw new ClusterError('refused', `Initialising: the server answered ${reasonOf(answer)}`);
  }
  const { recovery_keys, recovery_keys_base64, root_token } = parsed.data;
  return {
    recoveryKeys: new Secret(recovery_keys),
    recoveryKeysBase64: new Secret(recovery_keys_base64),
    rootToken: new Secret(root_token),
  };
}

/**
 * Whether the role with which the bootstrap Job logs in exists. Logins that cannot succeed tell: the method asks for a
 * role, and looks for it before it looks at the token. Where there is no method, everything is refused alike.
 */
export async function isSetUp(cluster: Server): Promise<boolean> {
  const withoutRole = await tryLogin(cluster, {});
  if (!reasonOf(withoutRole).includes('missing role')) return false;
  const withRole = await tryLogin(cluster, { role: 'vault-bootstrap', jwt: 'not-a-token' });
  return !reasonOf(withRole).includes('invalid role name');
}

async function tryLogin(cluster: Server, body: object): Promise<ServerAnswer> {
  const path = '/v1/auth/kubernetes/login';
  const answer = await askServer(firstServer(cluster), { path, method: 'POST', ca: cluster.ca, body });
  // Sealed, or without an active server: nothing can be said yet.
  if (answer.status === 503) {
    const message = `Asking for a role: the server answered ${reasonOf(answer)}`;
    throw new ClusterError('refused', message, { retryable: true });
  }
  return answer;
}
