import { expect, test } from 'vitest';
import { CertificateAuthority } from '../../../testing/certificate-authority.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { BundlePublisher } from './bundle-publisher.ts';

const trustDomain = TrustDomain.parse('example.org');
const authority = CertificateAuthority.create('example.org');
const keysOf = (one: CertificateAuthority) => ({
  authorities: one.bundle().authorities,
  jwtKeys: one.jwtBundle().keys,
});

test('B-02: the sequence number grows with every change and with nothing else', () => {
  const publisher = new BundlePublisher({ trustDomain, lastSequence: 2n ** 62n });
  expect(publisher.current).toBeUndefined();
  expect(publisher.publish(keysOf(authority)).sequence).toBe(2n ** 62n + 1n);
  expect(publisher.publish(keysOf(authority)).sequence).toBe(2n ** 62n + 1n);
  authority.rotateJwtKey();
  expect(publisher.publish(keysOf(authority)).sequence).toBe(2n ** 62n + 2n);
  const other = CertificateAuthority.create('example.org');
  const both = {
    ...keysOf(authority),
    authorities: [...authority.bundle().authorities, ...other.bundle().authorities],
  };
  expect(publisher.publish(both).sequence).toBe(2n ** 62n + 3n);
  expect(publisher.current?.x509.authorities).toHaveLength(2);
});

test('F-12: a new key is announced five refresh intervals before it may sign', () => {
  expect(new BundlePublisher({ trustDomain, refreshHintSeconds: 60 }).leadMs).toBe(300_000);
  expect(new BundlePublisher({ trustDomain }).leadMs).toBe(1_500_000);
  for (const refreshHintSeconds of [0, 0.5, -1, Number.NaN]) {
    expect(() => new BundlePublisher({ trustDomain, refreshHintSeconds })).toThrow(RangeError);
  }
});
