import { at } from '../../manifests.ts';
import type { Server } from './server.ts';
import { jsonOf, type VaultCluster } from './vault-cluster.ts';

/** In OpenBao the recovery keys count only from somebody who is logged in; Vault has the same below `generate-root`. */
const PATH = '/v1/sys/generate-root-token';

/** A root token from recovery keys, hidden in transit by a password of this one attempt. */
export async function generateRootToken(
  cluster: VaultCluster,
  server: Server,
  { recoveryKeys, token }: { readonly recoveryKeys: readonly string[]; readonly token: string },
): Promise<string> {
  await cluster.call(server, `${PATH}/attempt`, { method: 'DELETE', token });
  const attempt = jsonOf(await cluster.call(server, `${PATH}/attempt`, { token, body: {} }));
  const nonce = String(at(attempt, 'data.nonce'));
  const otp = String(at(attempt, 'data.otp'));
  for (const key of recoveryKeys) {
    const answer = await cluster.call(server, `${PATH}/update`, { token, body: { key, nonce } });
    const update = jsonOf(answer);
    if (answer.status !== 200) throw new Error(`a recovery key: ${answer.status} ${answer.text}`);
    if (at(update, 'data.complete') !== true) continue;
    const encoded = Buffer.from(String(at(update, 'data.encoded_token')), 'base64');
    return Buffer.from(encoded.map((byte, index) => byte ^ otp.charCodeAt(index))).toString('utf8');
  }
  throw new Error(`${recoveryKeys.length} recovery keys make no root token`);
}
