import { contextTag, DerReader, decodeIa5 } from '../../encoding/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { Certificate } from './certificate.ts';

/** RFC 5280, 4.2.1.10. */
export interface NameConstraints {
  /** Undefined without a permitted subtree of URIs, which allows every URI. */
  readonly permittedUris: readonly string[] | undefined;
  readonly excludedUris: readonly string[];
  /** Numbers of the other kinds of GeneralName that are constrained; they are not processed. */
  readonly otherKinds: readonly number[];
}

const URI_KIND = 6;
const EMAIL_KIND = 1;
const DIRECTORY_KIND = 4;
const MAX_SUBTREES = 64;

/** Reads the value of the extension. Distances other than the whole subtree are refused, as RFC 5280 does. */
export function readNameConstraints(outside: DerReader): NameConstraints {
  const fields = outside.sequence('nameConstraints');
  outside.finish('nameConstraints');
  const permitted = readSubtrees(fields, 0);
  const excluded = readSubtrees(fields, 1);
  fields.finish('nameConstraints');
  if (permitted === undefined && excluded === undefined) throw malformed('has empty name constraints');
  const all = [...(permitted ?? []), ...(excluded ?? [])];
  const uris = (subtrees: readonly Subtree[]): string[] =>
    subtrees.flatMap(({ uri }) => (uri === undefined ? [] : [uri]));
  return {
    permittedUris: permitted?.some(({ kind }) => kind === URI_KIND) ? uris(permitted) : undefined,
    excludedUris: uris(excluded ?? []),
    otherKinds: [...new Set(all.map(({ kind }) => kind).filter((kind) => kind !== URI_KIND))],
  };
}

interface Subtree {
  readonly kind: number;
  /** A host, or with a leading dot every host below it. */
  readonly uri?: string;
}

function readSubtrees(fields: DerReader, number: number): Subtree[] | undefined {
  const field = fields.optional(contextTag(number, 'constructed'));
  if (field === undefined) return undefined;
  const list = new DerReader(field.content);
  const subtrees: Subtree[] = [];
  while (!list.done) {
    const subtree = list.sequence('GeneralSubtree');
    const base = subtree.read('base');
    if (base.tag < 0x80 || base.tag >= 0xc0) throw malformed('has malformed name constraints');
    subtree.finish('GeneralSubtree');
    if (subtrees.length === MAX_SUBTREES) throw malformed(`has more than ${MAX_SUBTREES} name constraints`);
    const kind = base.tag & 0x1f;
    subtrees.push(kind === URI_KIND ? { kind, uri: readHost(base.content) } : { kind });
  }
  if (subtrees.length === 0) throw malformed('has empty name constraints');
  return subtrees;
}

/** Anything but a host would match nothing, and an exclusion that matches nothing would be ignored in silence. */
function readHost(content: Uint8Array): string {
  const host = decodeIa5(content).toLowerCase();
  if (!/^\.?[a-z0-9_-][a-z0-9._-]*$/.test(host)) throw malformed('constrains URIs by something that is no host');
  return host;
}

/**
 * Why the names of the certificates below an issuer break its constraints; undefined when they do not. Constraints of URIs
 * are processed; one of another kind refuses every certificate that has a name of that kind, since it is not.
 */
export function constraintProblem(issuer: Certificate, below: readonly Certificate[]): string | undefined {
  const constraints = issuer.nameConstraints;
  if (constraints === undefined) return undefined;
  const { permittedUris, excludedUris, otherKinds } = constraints;
  for (const [index, certificate] of below.entries()) {
    // RFC 5280, 6.1.3 (b): self-issued certificates are exempt, but for the leaf.
    if (index > 0 && Buffer.compare(certificate.issuer, certificate.subject) === 0) continue;
    if (otherKinds.some((kind) => hasNameOfKind(certificate, kind))) {
      return 'an issuer constrains names of a kind that is not supported';
    }
    for (const uri of certificate.uriNames) {
      const host = hostOf(uri);
      if (host === undefined) return 'an issuer constrains URIs, and one has no host';
      if (permittedUris !== undefined && !permittedUris.some((base) => isWithin(host, base))) {
        return 'an issuer does not permit the URI by its name constraints';
      }
      if (excludedUris.some((base) => isWithin(host, base)))
        return 'an issuer excludes the URI by its name constraints';
    }
  }
  return undefined;
}

/** A subject may hold directory names and addresses of email. */
function hasNameOfKind({ nameKinds, subject }: Certificate, kind: number): boolean {
  const EMPTY_SEQUENCE_BYTES = 2;
  const inSubject = (kind === DIRECTORY_KIND || kind === EMAIL_KIND) && subject.length > EMPTY_SEQUENCE_BYTES;
  return inSubject || nameKinds.includes(kind);
}

/** RFC 5280, 4.2.1.10: a base with a leading dot stands for what is below it, any other for itself alone. */
function isWithin(host: string, base: string): boolean {
  return base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base;
}

function hostOf(uri: string): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1];
  const host = authority?.replace(/^.*@/, '').replace(/:\d*$/, '').toLowerCase();
  return host === undefined || host === '' || host.startsWith('[') ? undefined : host;
}

function malformed(rule: string): SpiffeError {
  return new SpiffeError('CERTIFICATE_MALFORMED', `The certificate ${rule}`);
}
