import { readFile } from 'node:fs/promises';
import { messageOf } from '../../common/index.ts';
import { VaultError } from '../errors.ts';
import type { VaultAuth } from './auth.ts';
import { loginAt, requireText } from './login.ts';

export interface KubernetesAuthOptions {
  readonly role: string;
  /** Default `kubernetes`. */
  readonly mount?: string;
  /**
   * The projected service account token. The kubelet replaces it at 80 % of its life, so it is read again at every
   * login. Default `/var/run/secrets/kubernetes.io/serviceaccount/token`.
   */
  readonly tokenFile?: string;
  /**
   * The audience of the projected token. A token of other audiences, such as the API server's, is not sent and the
   * login rejects with `login-incomplete`. Default: not checked here, the server's role decides.
   */
  readonly audience?: string;
}

/** The claim `aud` of a JWT that is not verified here: it is for the server to judge. */
function audiencesOf(jwt: string): readonly unknown[] {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const { aud } = claims as { aud?: unknown };
    return Array.isArray(aud) ? aud : [aud];
  } catch {
    return [];
  }
}

const DEFAULT_TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Logs in with the pod's service account. */
export function kubernetesAuth(options: KubernetesAuthOptions): VaultAuth {
  const { role, audience, mount = 'kubernetes', tokenFile = DEFAULT_TOKEN_FILE } = options;
  requireText(role, 'role');
  if (audience !== undefined) requireText(audience, 'audience');
  return {
    method: 'kubernetes',
    issues: true,
    async login(context) {
      let jwt: string;
      try {
        jwt = (await readFile(tokenFile, 'utf8')).trim();
      } catch (error) {
        throw new VaultError('login-incomplete', `Reading the service account token: ${messageOf(error)}`, {
          retryable: true,
          maybeExecuted: false,
        });
      }
      if (audience !== undefined && !audiencesOf(jwt).includes(audience)) {
        throw new VaultError(
          'login-incomplete',
          `Reading the service account token: ${tokenFile} is not for the audience ${JSON.stringify(audience)}; project a token for it`,
          { maybeExecuted: false },
        );
      }
      return loginAt(context, mount, { role, jwt });
    },
  };
}
