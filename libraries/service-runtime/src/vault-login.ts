import { readFile } from 'node:fs/promises';
import type { VaultLogin } from '@neural-hive/security/config';
import type { JwtSource } from '@neural-hive/security/spiffe';
import { appRoleAuth, jwtAuth, kubernetesAuth, tokenAuth, type VaultAuth } from '@neural-hive/security/vault';

const readSecret = async (file: string): Promise<string> => (await readFile(file, 'utf8')).trim();

/** How the configuration says to log in. `jwt` gives the JWT-SVIDs to do it with. */
export function vaultAuth(login: VaultLogin, jwt: Pick<JwtSource, 'fetchJwtSvid'>): VaultAuth {
  switch (login.method) {
    case 'kubernetes':
      return kubernetesAuth(login);
    case 'jwt': {
      const { role, mount, tokenFile, audience } = login;
      if (tokenFile !== undefined) return jwtAuth({ role, mount, fetchToken: () => readSecret(tokenFile) });
      return jwtAuth({ role, mount, source: jwt, audience: audience ?? '' });
    }
    case 'approle': {
      const { mount, roleId, secretId } = login;
      if ('text' in secretId) return appRoleAuth({ mount, roleId, secretId: secretId.text });
      const { file } = secretId;
      return {
        method: 'approle',
        issues: true,
        login: async (context) => appRoleAuth({ mount, roleId, secretId: await readSecret(file) }).login(context),
      };
    }
    case 'token':
      return tokenAuth(login);
  }
}
