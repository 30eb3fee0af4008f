import { isIP } from 'node:net';
import { TAG } from './der-element.ts';
import { der, derImplicit, derOid, derSequence } from './der-writer.ts';

export interface SubjectNames {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** IPv4 or IPv6 in text form. */
  readonly ipAddresses?: readonly string[];
}

/** GeneralNames (RFC 5280, 4.2.1.6), the value of the extension subjectAltName. */
export function generalNames({ uris = [], dnsNames = [], ipAddresses = [] }: SubjectNames): Uint8Array {
  return derSequence(
    ...uris.map((uri) => derImplicit(6, Buffer.from(uri))),
    ...dnsNames.map((name) => derImplicit(2, Buffer.from(name))),
    ...ipAddresses.map((address) => derImplicit(7, encodeAddress(address))),
  );
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
