import { createHash, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { TAG } from '../encoding/index.ts';
import {
  der,
  derBitString,
  derImplicit,
  derOctetString,
  derOid,
  derSequence,
  derSmallInteger,
  derTrue,
} from './der-writer.ts';

/** RFC 5280, 4.2.1.3, as bit numbers. */
export const KEY_USAGE = {
  digitalSignature: 0,
  keyEncipherment: 2,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
} as const;

export const EXTENDED_KEY_USAGE = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

export interface SubjectNames {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** IPv4 or IPv6 in text form. */
  readonly ipAddresses?: readonly string[];
}

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
  const { uris = [], dnsNames = [], ipAddresses = [] } = names;
  const general = [
    ...uris.map((uri) => derImplicit(6, Buffer.from(uri))),
    ...dnsNames.map((name) => derImplicit(2, Buffer.from(name))),
    ...ipAddresses.map((address) => derImplicit(7, encodeAddress(address))),
  ];
  return extension('2.5.29.17', derSequence(...general), critical);
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

/** An X.501 name with one attribute a set; empty for no attributes. */
export function distinguishedName({ commonName, organization }: DistinguishedName): Uint8Array {
  const attributes: Uint8Array[] = [];
  if (organization !== undefined) attributes.push(attribute('2.5.4.10', organization));
  if (commonName !== undefined) attributes.push(attribute('2.5.4.3', commonName));
  return derSequence(...attributes);
}

export interface DistinguishedName {
  readonly commonName?: string;
  readonly organization?: string;
}

function attribute(oid: string, value: string): Uint8Array {
  return der(TAG.set, derSequence(derOid(oid), der(TAG.utf8String, Buffer.from(value))));
}

function encodeAddress(address: string): Uint8Array {
  const family = isIP(address);
  if (family === 4) return Uint8Array.from(address.split('.').map(Number));
  if (family !== 6) throw new TypeError('ipAddresses must hold IPv4 or IPv6 addresses');
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, prefix = '', a = 0, b = 0, c = 0, d = 0] = dotted ?? [];
  const pair = (high: unknown, low: unknown): string => (Number(high) * 256 + Number(low)).toString(16);
  const text = dotted ? `${prefix}${pair(a, b)}:${pair(c, d)}` : address;
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  return Uint8Array.from([...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]));
}
