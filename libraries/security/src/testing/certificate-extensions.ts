import { createHash, type KeyObject } from 'node:crypto';
import { generalNames, type SubjectNames } from '../encoding/certificate-names.ts';
import {
  derBitString,
  derImplicit,
  derOctetString,
  derOid,
  derSequence,
  derSmallInteger,
  derTrue,
} from '../encoding/der-writer.ts';

/** RFC 5280, 4.2.1.3, as bit numbers. */
export const KEY_USAGE = {
  digitalSignature: 0,
  keyEncipherment: 2,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
} as const;

export const EXTENDED_KEY_USAGE = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

/** Any extension; `value` is its DER. */
export function extension(oid: string, value: Uint8Array, critical = false): Uint8Array {
  return derSequence(derOid(oid), ...(critical ? [derTrue()] : []), derOctetString(value));
}

export function basicConstraints(ca: boolean, pathLength?: number): Uint8Array {
  const limit = pathLength === undefined ? [] : [derSmallInteger(pathLength)];
  return extension('2.5.29.19', derSequence(...(ca ? [derTrue(), ...limit] : [])), true);
}

export function keyUsage(usages: readonly (keyof typeof KEY_USAGE)[], critical = true): Uint8Array {
  const bits: readonly number[] = usages.map((usage) => KEY_USAGE[usage]);
  const byte = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  const unused = bits.length === 0 ? 0 : 7 - Math.max(...bits);
  const content = bits.length === 0 ? new Uint8Array() : Uint8Array.of(byte);
  return extension('2.5.29.15', derBitString(content, unused), critical);
}

export function extendedKeyUsage(usages: readonly (keyof typeof EXTENDED_KEY_USAGE)[]): Uint8Array {
  return extension('2.5.29.37', derSequence(...usages.map((usage) => derOid(EXTENDED_KEY_USAGE[usage]))));
}

/** `critical` belongs to a certificate with an empty subject (RFC 5280, 4.2.1.6). */
export function subjectAltName(names: SubjectNames, critical: boolean): Uint8Array {
  return extension('2.5.29.17', generalNames(names), critical);
}

export function hasNames({ uris = [], dnsNames = [], ipAddresses = [] }: SubjectNames): boolean {
  return uris.length + dnsNames.length + ipAddresses.length > 0;
}

export function subjectKeyIdentifier(publicKey: KeyObject): Uint8Array {
  return extension('2.5.29.14', derOctetString(keyIdentifier(publicKey)));
}

export function authorityKeyIdentifier(issuerKey: KeyObject): Uint8Array {
  return extension('2.5.29.35', derSequence(derImplicit(0, keyIdentifier(issuerKey))));
}

/** The first 160 bits of SHA-256 (RFC 7093, section 2), over the whole SubjectPublicKeyInfo. */
export function keyIdentifier(publicKey: KeyObject): Uint8Array {
  const info = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(info).digest().subarray(0, 20);
}
