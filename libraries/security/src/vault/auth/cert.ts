import type { ClientIdentity } from '../client-certificate.ts';
import type { VaultAuth } from './auth.ts';
import { loginAt, requireText } from './login.ts';

export interface CertAuthOptions {
  /** An X509-SVID and its key; `X509Source` is such an identity. It stays the caller's to close. */
  readonly identity: ClientIdentity;
  /** The name of the certificate role. Default: the server tries every role that fits. */
  readonly role?: string;
  /** Default `cert`. */
  readonly mount?: string;
}

/**
 * Logs in with a client certificate, for instance an X509-SVID. The server binds the token to the very certificate:
 * when the identity rotates, the client logs in anew and hands over, and does not renew the old token any more.
 *
 * Vault and OpenBao name the login after the common name of the certificate and answer 500, `missing name in alias`,
 * to one without. SPIRE gives an SVID a common name when its registration entry has a DNS name.
 */
export function certAuth(options: CertAuthOptions): VaultAuth {
  const { identity, role, mount = 'cert' } = options;
  if (typeof identity?.getX509Svid !== 'function' || typeof identity.onUpdate !== 'function') {
    throw new TypeError('identity: must have getX509Svid and onUpdate, as an X509Source has');
  }
  if (role !== undefined) requireText(role, 'role');
  return {
    method: 'cert',
    issues: true,
    identity,
    login: (context) => loginAt(context, mount, role === undefined ? {} : { name: role }),
  };
}
