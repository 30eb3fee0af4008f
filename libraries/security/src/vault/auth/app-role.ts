import { Secret } from '../../common/index.ts';
import { textInside, unwrapChecked } from '../engines/wrapping.ts';
import type { LoginContext, VaultAuth } from './auth.ts';
import { loginAt, requireText } from './login.ts';

export interface AppRoleAuthOptions {
  readonly roleId: string | Secret<string>;
  /** Absent for a role that needs none. */
  readonly secretId?: string | Secret<string>;
  /** In place of `secretId`: a wrapping token that holds it. It is opened once, at the first login. */
  readonly wrappedSecretId?: {
    readonly token: string | Secret<string>;
    /** `auth/<mount>/role/<role>/secret-id`. A token that holds the answer of another path is not opened. */
    readonly creationPath: string;
  };
  /** Default `approle`. */
  readonly mount?: string;
}

function secretOf(value: string | Secret<string>, option: string): Secret<string> {
  const secret = typeof value === 'string' ? new Secret(value) : value;
  requireText(secret.reveal(), option);
  return secret;
}

/**
 * Logs in with a role id and a secret id. A wrapped secret id that cannot be opened means that somebody else may have
 * opened it: the login rejects with `invalid-request`, `permission-denied` or `wrapping-mismatch`, which is an alarm.
 */
export function appRoleAuth(options: AppRoleAuthOptions): VaultAuth {
  const { wrappedSecretId, mount = 'approle' } = options;
  const roleId = secretOf(options.roleId, 'roleId');
  let secretId = options.secretId === undefined ? undefined : secretOf(options.secretId, 'secretId');
  if (secretId !== undefined && wrappedSecretId !== undefined) {
    throw new TypeError('wrappedSecretId: cannot be given together with secretId');
  }
  if (wrappedSecretId !== undefined) requireText(wrappedSecretId.creationPath, 'wrappedSecretId.creationPath');
  const wrapped = wrappedSecretId && {
    token: secretOf(wrappedSecretId.token, 'wrappedSecretId.token'),
    creationPath: wrappedSecretId.creationPath,
  };
  const open = async ({ send, signal }: LoginContext): Promise<Secret<string> | undefined> => {
    if (wrapped === undefined) return undefined;
    const { token, creationPath } = wrapped;
    return new Secret(textInside(await unwrapChecked(send, token, { creationPath, signal }), 'secret_id'));
  };
  return {
    method: 'approle',
    issues: true,
    async login(context) {
      secretId ??= await open(context);
      return loginAt(context, mount, {
        role_id: roleId.reveal(),
        ...(secretId === undefined ? {} : { secret_id: secretId.reveal() }),
      });
    },
  };
}
