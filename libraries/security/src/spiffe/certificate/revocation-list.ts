import { contextTag, DerReader, TAG } from '../../encoding/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { Certificate } from './certificate.ts';
import { isSignedBy, type SignedStructure } from './signature.ts';

/** A certificate revocation list (RFC 5280, 5.1). */
export interface RevocationList extends SignedStructure {
  /** A DER name. */
  readonly issuer: Uint8Array;
  readonly thisUpdateMs: number;
  /** Undefined when the list does not say; such a list is never current. */
  readonly nextUpdateMs: number | undefined;
  /** Hexadecimal serial numbers. */
  readonly revoked: ReadonlySet<string>;
  /** A critical extension is processed by nobody here: delta lists and lists of a part are not used. */
  readonly hasCriticalExtension: boolean;
}

const MAX_ENTRIES = 100_000;
const parsed = new WeakMap<Uint8Array, RevocationList>();

/** Reads a DER list, once for each array. @throws SpiffeError `REVOCATION_LIST_MALFORMED` */
export function parseRevocationList(der: Uint8Array): RevocationList {
  const existing = parsed.get(der);
  if (existing !== undefined) return existing;
  try {
    const list = readList(der);
    parsed.set(der, list);
    return list;
  } catch (cause) {
    throw new SpiffeError('REVOCATION_LIST_MALFORMED', 'The revocation list is malformed', { cause });
  }
}

function readList(der: Uint8Array): RevocationList {
  const outside = new DerReader(der);
  const whole = outside.sequence('The revocation list');
  outside.finish('The revocation list');
  const signed = whole.expect(TAG.sequence, 'tbsCertList');
  const signatureAlgorithm = whole.expect(TAG.sequence, 'signatureAlgorithm').raw;
  const signature = whole.bitString('signatureValue');
  whole.finish('The signature');

  const tbs = new DerReader(signed.content);
  const version = tbs.optional(TAG.integer);
  if (version !== undefined && new DerReader(version.raw).smallInteger('version') !== 1) {
    throw new TypeError('The list is not of version 2');
  }
  const inner = tbs.expect(TAG.sequence, 'signature').raw;
  if (Buffer.compare(inner, signatureAlgorithm) !== 0) throw new TypeError('The list names two signature algorithms');
  const issuer = tbs.expect(TAG.sequence, 'issuer').raw;
  const thisUpdateMs = tbs.time('thisUpdate');
  const next = tbs.optional(TAG.utcTime) ?? tbs.optional(TAG.generalizedTime);
  const nextUpdateMs = next && new DerReader(next.raw).time('nextUpdate');
  const entries = tbs.optional(TAG.sequence);
  const revoked = new Set<string>();
  const entryIsCritical = entries !== undefined && readEntries(new DerReader(entries.content), revoked);
  const listIsCritical = !tbs.done && readExtensions(tbs.enter(contextTag(0, 'constructed'), 'crlExtensions'));
  tbs.finish('tbsCertList');
  if (signature.unusedBits !== 0) throw new TypeError('The signature is not whole bytes');
  return {
    tbs: signed.raw,
    signatureAlgorithm,
    signature: signature.bytes,
    issuer,
    thisUpdateMs,
    nextUpdateMs,
    revoked,
    hasCriticalExtension: entryIsCritical || listIsCritical,
  };
}

function readEntries(list: DerReader, revoked: Set<string>): boolean {
  let critical = false;
  while (!list.done) {
    if (revoked.size === MAX_ENTRIES) throw new RangeError(`The list has more than ${MAX_ENTRIES} entries`);
    const entry = list.sequence('revokedCertificate');
    revoked.add(Buffer.from(entry.integer('userCertificate')).toString('hex'));
    entry.time('revocationDate');
    if (!entry.done && readExtensionList(entry)) critical = true;
    entry.finish('revokedCertificate');
  }
  return critical;
}

function readExtensions(field: DerReader): boolean {
  const critical = readExtensionList(field);
  field.finish('crlExtensions');
  return critical;
}

/** Whether one of the extensions is critical. */
function readExtensionList(outside: DerReader): boolean {
  const list = outside.sequence('extensions');
  let critical = false;
  while (!list.done) {
    const extension = list.sequence('extension');
    extension.oid('extnID');
    const flag = extension.optional(TAG.boolean);
    if (flag !== undefined && new DerReader(flag.raw).boolean('critical')) critical = true;
    extension.octetString('extnValue');
    extension.finish('extension');
  }
  return critical;
}

/** What the lists say about a certificate. A list counts only when the very key that issued the certificate signed it. */
export function revocationStatus(
  certificate: Certificate,
  issuer: Certificate,
  lists: readonly RevocationList[],
  nowMs: number,
): 'good' | 'revoked' | 'unknown' {
  const usable = lists.filter((list) => isCurrent(list, nowMs) && isIssuedBy(list, issuer));
  if (usable.length === 0) return 'unknown';
  return usable.some(({ revoked }) => revoked.has(certificate.serialNumber)) ? 'revoked' : 'good';
}

function isCurrent({ thisUpdateMs, nextUpdateMs, hasCriticalExtension }: RevocationList, nowMs: number): boolean {
  return !hasCriticalExtension && nextUpdateMs !== undefined && thisUpdateMs <= nowMs && nowMs <= nextUpdateMs;
}

const signers = new WeakMap<RevocationList, WeakMap<Certificate, boolean>>();

function isIssuedBy(list: RevocationList, issuer: Certificate): boolean {
  if (Buffer.compare(list.issuer, issuer.subject) !== 0) return false;
  // RFC 5280, 6.3.3 (f): a key with a key usage needs the right to sign lists.
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.cRLSign) return false;
  const known = signers.get(list) ?? new WeakMap<Certificate, boolean>();
  signers.set(list, known);
  const answer = known.get(issuer) ?? isSignedBy(list, issuer);
  known.set(issuer, answer);
  return answer;
}
