import { expect, test } from 'vitest';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { FixedIdentity, x509SvidOf } from '../testing/fixed-identity.ts';
import { RotatingCredential } from './rotating-credential.ts';
import { svidCredential } from './svid-credential.ts';

const ID = 'spiffe://example.org/a';

test('a new SVID is a new generation with its own times; one that is withdrawn stays', async () => {
  const authority = CertificateAuthority.create('example.org');
  const identity = FixedIdentity.issue(authority, ID);
  const credential = await RotatingCredential.open({ provider: svidCredential(identity) });
  const first = identity.getX509Svid();
  const { value, issuedAtMs, expiresAtMs } = credential.current();
  expect(value).toBe(first);
  expect([issuedAtMs, expiresAtMs]).toEqual([first.issuedAtMs, first.expiresAtMs]);
  const rotated = new Promise<string>((resolve) => credential.onRotation(({ reason }) => resolve(reason)));
  const second = x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds: 3600 }));
  identity.setX509Bundle(authority.bundle());
  identity.setX509Svid(undefined);
  identity.setX509Svid(second);
  expect(await rotated).toBe('changed');
  expect(credential.current()).toMatchObject({ generation: 2, value: second });
  await credential.close();
  expect(identity.listenerCount).toBe(0);
});

test('an SVID that changed before anybody listened is noticed', async () => {
  const authority = CertificateAuthority.create('example.org');
  const identity = FixedIdentity.issue(authority, ID);
  const signal = new AbortController().signal;
  const issued = await svidCredential(identity).obtain({ signal, reserveMs: 0, first: true });
  identity.setX509Svid(x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds: 3600 })));
  expect(await new Promise((resolve) => issued.onSuperseded?.(resolve))).toBe('changed');
});
