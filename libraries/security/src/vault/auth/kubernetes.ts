import { readFile } from 'node:fs/promises';
import { messageOf } from '../../common/index.ts';
import { VaultError } from '../errors.ts';
import type { VaultAuth } from './auth.ts';
import { loginWithJwt, requireText } from './jwt-login.ts';

export interface KubernetesAuthOptions {
  readonly role: string;
  /** Default `kubernetes`. */
  readonly mount?: string;
  /**
   * The projected service account token. The kubelet replaces it at 80 % of its life, so it is read again at every
   * login. Default `/var/run/secrets/kubernetes.io/serviceaccount/token`.
   */
  readonly tokenFile?: string;
}

/** Logs in with the pod's service account. */
export function kubernetesAuth(options: KubernetesAuthOptions): VaultAuth {
  const { role, mount = 'kubernetes', tokenFile = '/var/run/secrets/kubernetes.io/serviceaccount/token' } = options;
  requireText(role, 'role');
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
      return loginWithJwt(context, { mount, role, jwt });
    },
  };
}
