import { afterEach, beforeEach, expect, test } from 'vitest';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { answerSecret, openOnFault } from '../testing/fault-client.ts';
import { FaultVault, reply } from '../testing/fault-vault.ts';
import { tokenAuth } from './auth/token.ts';
import { VaultClient } from './client.ts';

const authority = CertificateAuthority.create('cluster.test');
let standby: FaultVault;
let active: FaultVault;
beforeEach(async () => {
  [standby, active] = await Promise.all([FaultVault.listen({ authority }), FaultVault.listen({ authority })]);
});
afterEach(async () => {
  await Promise.all([standby.close(), active.close()]);
});

/** A standby that redirects everything but the look-up of the token. */
const openOnStandby = (options: Parameters<typeof openOnFault>[2] = {}): Promise<VaultClient> =>
  openOnFault(
    standby,
    (response, _count, { path }) => reply(response, 307, '', { location: `${active.address}${path}` }),
    options,
  );

test('a standby may redirect to an address that the client was told of; the token goes there', async () => {
  active.handler = (_request, response) => answerSecret(response);
  await using client = await openOnStandby({ redirectAddresses: [active.address] });
  expect((await client.kv().read('a')).version).toBe(3);
  await client
    .kv()
    .write('a', { n: 1 })
    .catch(() => undefined);
  const [read, write] = active.to('/v1/secret/data/a');
  expect(read?.headers['x-vault-token']).toBe('hvs.handed-in');
  expect(write).toMatchObject({ method: 'POST', body: { data: { n: 1 } } });
});

test('without being told of it the client sends nothing there', async () => {
  const elsewhere = await FaultVault.listen({ authority });
  await using client = await openOnStandby({ redirectAddresses: [elsewhere.address] });
  await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'redirect-refused', retryable: false });
  expect(active.connections).toBe(0);
  await elsewhere.close();
});

test('an address that sends back ends in a refusal', async () => {
  active.handler = ({ path }, response) => reply(response, 307, '', { location: `${standby.address}${path}` });
  await using client = await openOnStandby({ redirectAddresses: [active.address] });
  await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'redirect-refused' });
  expect([...standby.to('/v1/secret/'), ...active.to('/v1/secret/')]).toHaveLength(2);
});

test('each address has a breaker of its own', async () => {
  let down = true;
  active.handler = (_request, response) => (down ? reply(response, 500, { errors: [] }) : answerSecret(response));
  const options = { maxRetries: 0, breakerThreshold: 2, breakerPauseMs: 60_000 };
  await using client = await openOnStandby({ ...options, redirectAddresses: [active.address] });
  for (let call = 0; call < 2; call += 1) {
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'unavailable' });
  }
  await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'breaker-open' });
  expect(active.to('/v1/secret/')).toHaveLength(2);
  expect((await client.health()).breaker).toBe('closed');
  // The first address is well: it is asked every time, and answers for itself again.
  down = false;
  standby.handler = (_request, response) => answerSecret(response);
  expect((await client.kv().read('a')).version).toBe(3);
});

test('an address without TLS is refused as a target, too', async () => {
  const options = { address: standby.address, auth: tokenAuth({ token: 'hvs.x' }) };
  const opening = VaultClient.open({ ...options, redirectAddresses: ['http://vault.example:8200'] });
  await expect(opening).rejects.toThrow(/^redirectAddresses: must be https/);
});
