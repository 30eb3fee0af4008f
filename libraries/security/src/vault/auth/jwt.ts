import type { VaultAuth } from './auth.ts';
import { loginWithJwt, requireText } from './jwt-login.ts';

export interface JwtAuthOptions {
  readonly role: string;
  /** Default `jwt`. */
  readonly mount?: string;
  /** Called at every login, so that a short-lived token, for instance a JWT-SVID, is fresh. */
  readonly fetchToken: (options: { signal?: AbortSignal | undefined }) => Promise<string>;
}

/** Logs in with a JWT, for instance a JWT-SVID whose audience is the Vault server's. */
export function jwtAuth(options: JwtAuthOptions): VaultAuth {
  const { role, mount = 'jwt', fetchToken } = options;
  requireText(role, 'role');
  return {
    method: 'jwt',
    issues: true,
    async login(context) {
      return loginWithJwt(context, { mount, role, jwt: await fetchToken({ signal: context.signal }) });
    },
  };
}
