import assert from 'node:assert/strict';
import { databaseCredentials, RotatingCredential } from '../../credentials/index.ts';
import { distinguishedName } from '../../encoding/certificate-names.ts';
import type { X509Svid } from '../../spiffe/index.ts';
import { appRoleAuth, certAuth, type VaultAuth, VaultClient, type VaultClientOptions } from '../../vault/index.ts';
import { CertificateAuthority } from '../certificate-authority.ts';
import { FixedIdentity, x509SvidOf } from '../fixed-identity.ts';
import { earliest, rejectsWith, type Topic } from '../vault-contract/topic.ts';
import { DATABASE_MOUNT, KV_MOUNT } from '../vault-target.ts';

const APP_ROLE_MOUNT = 'contract-approle';
const CERT_MOUNT = 'contract-cert';
const ID = 'spiffe://contract.test/service';

/** Logins that the dev authority lacks. */
export const logins: Topic = (test, vault) => {
  const open = (auth: VaultAuth, options: Partial<VaultClientOptions> = {}): Promise<VaultClient> => {
    const { address, caPem: ca } = vault().target;
    return VaultClient.open({ address, ca, auth, ...options });
  };

  test('a role id logs in with a secret id, and with a wrapped one that is opened once', async () => {
    const { root } = vault();
    await root.sys.auth.enable(APP_ROLE_MOUNT, { type: 'approle' });
    const role = `auth/${APP_ROLE_MOUNT}/role/app`;
    await vault().write(role, { token_policies: ['contract'], token_ttl: 600 });
    const { data } = await root.request({ method: 'GET', path: `${role}/role-id` });
    const roleId = String(data.role_id);
    const secretIdPath = `${role}/secret-id`;
    const newSecretId = { method: 'POST', path: secretIdPath, body: {} } as const;
    const secretId = String((await root.request(newSecretId)).data.secret_id);
    await using plain = await open(appRoleAuth({ roleId, secretId, mount: APP_ROLE_MOUNT }));
    await plain.kv(KV_MOUNT).list('app');

    const { token } = await root.wrapping.wrapAnswer(newSecretId, { ttlSeconds: 60 });
    const wrappedSecretId = { token, creationPath: secretIdPath };
    await using wrapped = await open(appRoleAuth({ roleId, wrappedSecretId, mount: APP_ROLE_MOUNT }));
    await wrapped.rotateToken();
    assert.equal(wrapped.token.generation, 2);
    await rejectsWith(open(appRoleAuth({ roleId, wrappedSecretId, mount: APP_ROLE_MOUNT })), 'invalid-request');
    await rejectsWith(open(appRoleAuth({ roleId, secretId: 'guessed', mount: APP_ROLE_MOUNT })), 'invalid-request');
  });

  test('an X509-SVID logs in, its token is renewed, and a rotation of the SVID brings a new login before the old token ends', async () => {
    const authority = CertificateAuthority.create('contract.test');
    const identity = new FixedIdentity(svidOf(authority), []);
    await vault().root.sys.auth.enable(CERT_MOUNT, { type: 'cert' });
    await vault().write(`auth/${CERT_MOUNT}/certs/service`, {
      certificate: authority.certificatePem,
      allowed_uri_sans: [ID],
      token_policies: ['contract'],
      token_ttl: 5,
      token_max_ttl: 3_600,
    });
    const auth = certAuth({ identity, role: 'service', mount: CERT_MOUNT });
    const renewed: string[] = [];
    let noticed: () => void = () => undefined;
    const renewal = new Promise<void>((resolve) => (noticed = resolve));
    const metrics = {
      request: () => undefined,
      tokenRenewal(status: string) {
        renewed.push(status);
        noticed();
      },
    };
    await using client = await open(auth, { random: earliest, handOverMs: 500, metrics, openTimeoutMs: 0 });
    await renewal;
    assert.equal(renewed[0], 'success');
    assert.equal(client.token.generation, 1);

    await vault().write(`auth/${CERT_MOUNT}/certs/service`, { token_ttl: 600, ...roleOf(authority) });
    const provider = databaseCredentials(client, 'steady', { mount: DATABASE_MOUNT });
    await using credential = await RotatingCredential.open({ provider });
    const { accessor } = client.token;
    const user = credential.current().value.username;
    const rotated = new Promise<string>((resolve) => client.onTokenReplaced(({ reason }) => resolve(reason)));
    const handedOver = new Promise<void>((resolve) => credential.onRotation(() => resolve()));
    identity.setX509Svid(svidOf(authority));
    assert.equal(await rotated, 'certificate-rotated');
    await handedOver;
    assert.equal(client.token.generation, 2);
    assert.notEqual(credential.current().value.username, user);
    await client.kv(KV_MOUNT).list('app');
    // The old token goes last, when nothing needs it any more.
    const gone = (): Promise<boolean> =>
      vault()
        .root.request({ method: 'POST', path: 'auth/token/lookup-accessor', body: { accessor }, safe: true })
        .then(
          () => false,
          () => true,
        );
    while (!(await gone())) await new Promise((resolve) => setImmediate(resolve));
    await client.close();
    assert.equal(identity.listenerCount, 0);
  });

  test('an X509-SVID of another authority does not log in', async () => {
    const foreign = new FixedIdentity(svidOf(CertificateAuthority.create('contract.test')), []);
    await assert.rejects(
      open(certAuth({ identity: foreign, role: 'service', mount: CERT_MOUNT }), { openTimeoutMs: 0 }),
    );
  });
};

/** With a common name, which the server takes as the name of the entity: without one it refuses the login. */
function svidOf(authority: CertificateAuthority): X509Svid {
  const template = { subject: distinguishedName({ commonName: 'service' }) };
  return x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds: 3_600, template }));
}

function roleOf(authority: CertificateAuthority): Record<string, unknown> {
  return {
    certificate: authority.certificatePem,
    allowed_uri_sans: [ID],
    token_policies: ['contract'],
    token_max_ttl: 3_600,
  };
}
