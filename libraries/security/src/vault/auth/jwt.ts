import type { Secret } from '../../common/index.ts';
import type { VaultAuth } from './auth.ts';
import { loginAt, requireText } from './login.ts';

/** Where JWT-SVIDs come from. `JwtSource` of `@neural-hive/security/spiffe` is one. */
export interface JwtSvidProvider {
  fetchJwtSvid(request: {
    readonly audience: string;
    readonly signal?: AbortSignal;
  }): Promise<{ readonly token: Secret<string> }>;
}

interface CommonOptions {
  readonly role: string;
  /** Default `jwt`. */
  readonly mount?: string;
}

export type JwtAuthOptions = CommonOptions &
  (
    | {
        /** Called at every login, so that a short-lived token, for instance a JWT-SVID, is fresh. */
        readonly fetchToken: (options: { signal?: AbortSignal | undefined }) => Promise<string>;
      }
    | {
        /** Asked for a JWT-SVID at every login. */
        readonly source: JwtSvidProvider;
        /** One of the role's `bound_audiences`; of the Vault server alone, so that nobody else can use the token. */
        readonly audience: string;
      }
  );

/** Logs in with a JWT, for instance a JWT-SVID whose audience is the Vault server's. */
export function jwtAuth(options: JwtAuthOptions): VaultAuth {
  const { role, mount = 'jwt' } = options;
  requireText(role, 'role');
  if ('source' in options) requireText(options.audience, 'audience');
  const fetchToken = async (signal: AbortSignal | undefined): Promise<string> => {
    if ('fetchToken' in options) return options.fetchToken({ signal });
    const { source, audience } = options;
    return (await source.fetchJwtSvid({ audience, ...(signal && { signal }) })).token.reveal();
  };
  return {
    method: 'jwt',
    issues: true,
    async login(context) {
      return loginAt(context, mount, { role, jwt: await fetchToken(context.signal) });
    },
  };
}
