import { contextTag, DerReader, decodeIa5, TAG } from '../../encoding/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { type NameConstraints, readNameConstraints } from './name-constraints.ts';

const OID = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  extendedKeyUsage: '2.5.29.37',
} as const;
const PROCESSED: ReadonlySet<string> = new Set(Object.values(OID));

/** RFC 5280, 4.2.1.3. */
export interface KeyUsage {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly cRLSign: boolean;
}

export interface CertificateExtensions {
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined;
  readonly keyUsage: KeyUsage | undefined;
  /** OIDs; undefined when the extension is absent, which allows every purpose. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Every name of the kind `uniformResourceIdentifier` in the subject alternative name. */
  readonly uriNames: readonly string[];
  /** Numbers of the kinds of GeneralName in the subject alternative name. */
  readonly nameKinds: readonly number[];
  readonly nameConstraints: NameConstraints | undefined;
  /** OIDs of critical extensions that this library does not process. */
  readonly unknownCritical: readonly string[];
}

const MAX_EXTENSIONS = 64;

/** Reads the extensions; `field` is the content of `[3]`, undefined when the certificate has none. */
export function parseExtensions(field: DerReader | undefined): CertificateExtensions {
  const found = new Map<string, { critical: boolean; value: Uint8Array }>();
  if (field !== undefined) {
    const list = field.sequence('extensions');
    field.finish('extensions');
    while (!list.done) {
      const extension = list.sequence('extension');
      const oid = extension.oid('extnID');
      const critical = readCritical(extension);
      const value = extension.octetString('extnValue');
      extension.finish('extension');
      // RFC 5280, 4.2: not more than one instance of an extension.
      if (found.has(oid)) throw malformed(`has the extension ${oid} twice`);
      if (found.size === MAX_EXTENSIONS) throw malformed(`has more than ${MAX_EXTENSIONS} extensions`);
      found.set(oid, { critical, value });
    }
  }
  const keyUsage = found.get(OID.keyUsage);
  return {
    basicConstraints: read(found.get(OID.basicConstraints), readBasicConstraints),
    keyUsage: keyUsage && { critical: keyUsage.critical, ...readKeyUsage(new DerReader(keyUsage.value)) },
    extendedKeyUsage: read(found.get(OID.extendedKeyUsage), readExtendedKeyUsage),
    ...(read(found.get(OID.subjectAltName), readNames) ?? { uriNames: [], nameKinds: [] }),
    nameConstraints: read(found.get(OID.nameConstraints), readNameConstraints),
    unknownCritical: [...found].filter(([oid, { critical }]) => critical && !PROCESSED.has(oid)).map(([oid]) => oid),
  };
}

function read<T>(found: { value: Uint8Array } | undefined, decode: (reader: DerReader) => T): T | undefined {
  return found && decode(new DerReader(found.value));
}

/** X.690, 11.5: a value that equals the default is left out, so an encoded FALSE is not DER. */
function readCritical(extension: DerReader): boolean {
  const field = extension.optional(TAG.boolean);
  if (field === undefined) return false;
  if (!new DerReader(field.raw).boolean('critical')) throw malformed('encodes a default value');
  return true;
}

/**
 * RFC 5280, 4.2.1.9. An encoded `cA FALSE` breaks DER, but widely used issuers write it and it grants nothing, so it
 * is read as the default.
 */
function readBasicConstraints(outside: DerReader): { ca: boolean; pathLength: number | undefined } {
  const fields = outside.sequence('basicConstraints');
  outside.finish('basicConstraints');
  const flag = fields.optional(TAG.boolean);
  const ca = flag !== undefined && new DerReader(flag.raw).boolean('cA');
  const pathLength = fields.done ? undefined : fields.smallInteger('pathLenConstraint');
  fields.finish('basicConstraints');
  if (!ca && pathLength !== undefined) throw malformed('limits the path length without being an authority');
  return { ca, pathLength };
}

function readKeyUsage(outside: DerReader): Omit<KeyUsage, 'critical'> {
  const { bytes } = outside.bitString('keyUsage');
  outside.finish('keyUsage');
  const bits = bytes[0] ?? 0;
  // RFC 5280, 4.2.1.3: at least one bit is set.
  if (bytes.every((byte) => byte === 0)) throw malformed('has an empty key usage');
  return {
    digitalSignature: (bits & 0x80) !== 0,
    keyCertSign: (bits & 0x04) !== 0,
    cRLSign: (bits & 0x02) !== 0,
  };
}

function readExtendedKeyUsage(outside: DerReader): string[] {
  const purposes = outside.sequence('extKeyUsage');
  outside.finish('extKeyUsage');
  const oids: string[] = [];
  while (!purposes.done) oids.push(purposes.oid('KeyPurposeId'));
  if (oids.length === 0) throw malformed('has an empty extended key usage');
  return oids;
}

/** All names are walked, so that no name after a malformed one is overlooked. */
function readNames(outside: DerReader): Pick<CertificateExtensions, 'uriNames' | 'nameKinds'> {
  const names = outside.sequence('subjectAltName');
  outside.finish('subjectAltName');
  const uriNames: string[] = [];
  const kinds = new Set<number>();
  const uriTag = contextTag(6, 'primitive');
  if (names.done) throw malformed('has an empty subject alternative name');
  while (!names.done) {
    const name = names.read('GeneralName');
    if (name.tag < 0x80 || name.tag >= 0xc0) throw malformed('has a malformed subject alternative name');
    if (name.tag === (uriTag | 0x20)) throw malformed('has a malformed URI name');
    kinds.add(name.tag & 0x1f);
    if (name.tag === uriTag) uriNames.push(decodeIa5(name.content));
  }
  return { uriNames, nameKinds: [...kinds] };
}

function malformed(rule: string): SpiffeError {
  return new SpiffeError('CERTIFICATE_MALFORMED', `The certificate ${rule}`);
}
