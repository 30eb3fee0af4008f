import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { SubjectNames } from '../encoding/certificate-names.ts';
import { contextTag, DerReader, decodeIa5, parsePem, TAG } from '../encoding/index.ts';

/** What a PKCS#10 request asks for, after its own signature was checked. */
export interface CertificateRequest {
  readonly publicKey: KeyObject;
  readonly commonName: string | undefined;
  readonly names: Required<SubjectNames>;
}

const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';

/**
 * Reads a certificate request (RFC 2986) in PEM or DER.
 * @throws EncodingError when it is malformed; TypeError when its signature is wrong or its algorithm unknown
 */
export function parseCertificateRequest(request: string | Uint8Array): CertificateRequest {
  const bytes = typeof request === 'string' ? parsePem(request)[0]?.bytes : request;
  if (bytes === undefined) throw new TypeError('request must hold a PEM block');
  const whole = new DerReader(bytes).sequence('The certificate request');
  const info = whole.expect(TAG.sequence, 'certificationRequestInfo');
  const hash = HASHES[whole.sequence('signatureAlgorithm').oid('algorithm')];
  const signature = whole.bitString('signature').bytes;
  whole.finish('The signature');

  const fields = new DerReader(info.content);
  fields.smallInteger('version');
  const commonName = readCommonName(fields.sequence('subject'));
  const keyInfo = fields.expect(TAG.sequence, 'subjectPublicKeyInfo').raw;
  const publicKey = createPublicKey({ key: Buffer.from(keyInfo), format: 'der', type: 'spki' });
  if (hash === undefined || !verify(hash, info.raw, publicKey, signature)) {
    throw new TypeError('request must be signed with its own key by ECDSA or RSA and SHA-2');
  }
  const attributes = fields.optional(contextTag(0, 'constructed'));
  return { publicKey, commonName, names: readNames(attributes?.content ?? new Uint8Array()) };
}

function readCommonName(subject: DerReader): string | undefined {
  let commonName: string | undefined;
  while (!subject.done) {
    const set = subject.enter(TAG.set, 'RelativeDistinguishedName');
    while (!set.done) {
      const attribute = set.sequence('attribute');
      const oid = attribute.oid('type');
      const value = attribute.read('value');
      if (oid === '2.5.4.3') commonName = Buffer.from(value.content).toString('utf8');
    }
  }
  return commonName;
}

function readNames(attributes: Uint8Array): Required<SubjectNames> {
  const names = { uris: [] as string[], dnsNames: [] as string[], ipAddresses: [] as string[] };
  const reader = new DerReader(attributes);
  while (!reader.done) {
    const attribute = reader.sequence('attribute');
    if (attribute.oid('type') !== EXTENSION_REQUEST) continue;
    const extensions = attribute.enter(TAG.set, 'values').sequence('extensions');
    while (!extensions.done) {
      const extension = extensions.sequence('extension');
      const oid = extension.oid('extnID');
      extension.optional(TAG.boolean);
      const value = extension.octetString('extnValue');
      if (oid === SUBJECT_ALT_NAME) readGeneralNames(new DerReader(value).sequence('subjectAltName'), names);
    }
  }
  return names;
}

function readGeneralNames(list: DerReader, names: { uris: string[]; dnsNames: string[]; ipAddresses: string[] }): void {
  while (!list.done) {
    const { tag, content } = list.read('GeneralName');
    if (tag === contextTag(6, 'primitive')) names.uris.push(decodeIa5(content));
    if (tag === contextTag(2, 'primitive')) names.dnsNames.push(decodeIa5(content));
    if (tag === contextTag(7, 'primitive')) names.ipAddresses.push(formatAddress(content));
  }
}

function formatAddress(bytes: Uint8Array): string {
  const dotted = [...bytes].join('.');
  if (isIPv4(dotted)) return dotted;
  const groups = Array.from({ length: bytes.length / 2 }, (_, index) => Buffer.from(bytes).readUInt16BE(index * 2));
  return groups.map((group) => group.toString(16)).join(':');
}
