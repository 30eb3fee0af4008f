import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type Clock, messageOf } from '@neural-hive/security/common';
import { CertificateAuthority, type CertificateAuthorityState, type KeyType } from '@neural-hive/security/testing';
import type { Fields } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';

const TEN_YEARS_SECONDS = 10 * 365 * 86_400;

export function generateIssuer(
  fields: Fields,
  trustDomain: string,
  maxTtlSeconds: number,
  clock: Clock,
): CertificateAuthority {
  const commonName = fields.text('common_name') ?? '';
  if (commonName === '') throw invalid('common_name cannot be empty');
  const type = fields.text('key_type') ?? 'ec';
  const keyTypes: Readonly<Record<string, KeyType>> = {
    ec: fields.integer('key_bits') === 384 ? 'ec-p384' : 'ec-p256',
    rsa: 'rsa-2048',
  };
  const keyType = keyTypes[type];
  if (keyType === undefined) throw invalid(`key_type "${type}" is not supported`);
  const asked = fields.seconds('ttl') || maxTtlSeconds || TEN_YEARS_SECONDS;
  return CertificateAuthority.create(trustDomain, {
    commonName,
    keyType,
    ttlSeconds: Math.min(asked, maxTtlSeconds || asked),
    clock,
  });
}

/** An authority from a PEM bundle of its key and its certificates, its own first. */
export function importIssuer(pem: string, trustDomain: string, clock: Clock): CertificateAuthority {
  const blocks = pem.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g) ?? [];
  const certificates = blocks.filter((block) => block.startsWith('-----BEGIN CERTIFICATE-----'));
  const key = blocks.find((block) => /^-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(block));
  const [own] = certificates;
  if (key === undefined || own === undefined) throw invalid('pem_bundle must hold a private key and a certificate');
  try {
    const privateKey = createPrivateKey(key);
    const certificate = new X509Certificate(own);
    if (!certificate.ca) throw new Error('the first certificate is not that of an authority');
    if (!certificate.checkPrivateKey(privateKey))
      throw new Error('the private key is not that of the first certificate');
    const state: CertificateAuthorityState = {
      trustDomain,
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      chainPem: `${certificates.join('\n')}\n`,
      jwtKeys: [],
    };
    return CertificateAuthority.import(state, { clock });
  } catch (error) {
    throw invalid(`pem_bundle cannot be used: ${messageOf(error)}`);
  }
}

export function serialOf(certificatePem: string): string {
  return withColons(new X509Certificate(certificatePem).serialNumber);
}

/** `0a:1b:…`, as Vault writes serial numbers. */
export function withColons(hex: string): string {
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return (even.toLowerCase().match(/../g) ?? []).join(':');
}
