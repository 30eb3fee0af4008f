import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  authorityKeyIdentifier,
  basicConstraints,
  der,
  derImplicit,
  derOid,
  derSequence,
  distinguishedName,
  extension,
  keyUsage,
  type SigningHash,
  signCertificate,
  subjectAltName,
  subjectKeyIdentifier,
} from '@neural-hive/security/testing';

/** The moment that chains are made for, in seconds. */
export const NOW = 1_800_000_000;

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });

/** Made once: who holds a key plays no part. The last is the key of nobody in the chain. */
export const KEYS = {
  p256: ec('P-256'),
  p256Other: ec('P-256'),
  workload: ec('P-256'),
  p384: ec('P-384'),
  p521: ec('P-521'),
  rsa2048: rsa(2048),
  rsa1024: rsa(1024),
  ed25519: generateKeyPairSync('ed25519'),
  stranger: ec('P-256'),
} as const satisfies Record<string, { publicKey: KeyObject; privateKey: KeyObject }>;
export type KeyName = keyof typeof KEYS;

export type Usage = 'digitalSignature' | 'keyEncipherment' | 'keyAgreement' | 'keyCertSign' | 'cRLSign';
export type Purpose = 'serverAuth' | 'clientAuth' | 'codeSigning' | 'any';

export interface NameConstraints {
  readonly kind: 'uri' | 'dns';
  readonly permitted: readonly string[];
  readonly excluded: readonly string[];
  readonly critical: boolean;
}

/** What stands in one certificate. Everything that a rule may ask is here and nowhere else. */
export interface CertificatePlan {
  /** A common name; undefined for an empty name. */
  readonly subject: string | undefined;
  /** Default the subject of the certificate above. */
  readonly issuer?: string;
  readonly key: KeyName;
  /** Default the key of the certificate above. */
  readonly signedBy?: KeyName;
  readonly hash?: SigningHash;
  /** Seconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number; readonly critical: boolean };
  readonly keyUsage?: { readonly usages: readonly Usage[]; readonly critical: boolean };
  readonly purposes?: readonly Purpose[];
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly namesCritical: boolean;
  readonly nameConstraints?: NameConstraints;
  readonly unknownExtension?: { readonly critical: boolean };
  readonly subjectKeyId: boolean;
  readonly authorityKeyId: 'right' | 'wrong' | 'absent';
}

/** The root first, the leaf last. */
export type ChainPlan = readonly CertificatePlan[];

const PURPOSE_OID: Readonly<Record<Purpose, string>> = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  any: '2.5.29.37.0',
};

/** DER, in the order of the plan. */
export function buildChain(plan: ChainPlan): Uint8Array[] {
  return plan.map((certificate, index) => {
    const above = plan[index - 1] ?? certificate;
    const issuerKey = KEYS[certificate.signedBy ?? above.key].privateKey;
    return signCertificate(
      {
        issuer: nameOf(certificate.issuer ?? above.subject),
        subject: nameOf(certificate.subject),
        notBeforeMs: certificate.notBefore * 1000,
        notAfterMs: certificate.notAfter * 1000,
        publicKey: KEYS[certificate.key].publicKey,
        extensions: extensionsOf(certificate, above),
      },
      issuerKey,
      certificate.hash === undefined ? {} : { hash: certificate.hash },
    );
  });
}

function nameOf(commonName: string | undefined): Uint8Array {
  return distinguishedName(commonName === undefined ? {} : { commonName });
}

function extensionsOf(plan: CertificatePlan, above: CertificatePlan): Uint8Array[] {
  const { basicConstraints: basic, keyUsage: usage, purposes, nameConstraints, unknownExtension } = plan;
  const keyId = plan.authorityKeyId === 'right' ? KEYS[above.key] : KEYS.stranger;
  const list: readonly (Uint8Array | false | undefined)[] = [
    basic && basicConstraintsOf(basic),
    usage && keyUsage(usage.usages, usage.critical),
    purposes && extension('2.5.29.37', derSequence(...purposes.map((purpose) => derOid(PURPOSE_OID[purpose])))),
    plan.uris.length + plan.dnsNames.length > 0 && subjectAltName(plan, plan.namesCritical),
    nameConstraints && nameConstraintsOf(nameConstraints),
    unknownExtension && extension('1.2.3.4', derSequence(), unknownExtension.critical),
    plan.subjectKeyId && subjectKeyIdentifier(KEYS[plan.key].publicKey),
    plan.authorityKeyId !== 'absent' && authorityKeyIdentifier(keyId.publicKey),
  ];
  return list.filter((each) => each instanceof Uint8Array);
}

function basicConstraintsOf(basic: NonNullable<CertificatePlan['basicConstraints']>): Uint8Array {
  const whole = basicConstraints(basic.ca, basic.pathLength);
  if (basic.critical) return whole;
  // The same value without the flag.
  const value = basic.ca
    ? [0x01, 0x01, 0xff, ...(basic.pathLength === undefined ? [] : [0x02, 0x01, basic.pathLength])]
    : [];
  return extension('2.5.29.19', derSequence(Uint8Array.from(value)));
}

function nameConstraintsOf({ kind, permitted, excluded, critical }: NameConstraints): Uint8Array {
  const subtrees = (tag: number, names: readonly string[]): Uint8Array[] => {
    const bases = names.map((name) => derSequence(derImplicit(kind === 'uri' ? 6 : 2, Buffer.from(name))));
    return bases.length === 0 ? [] : [der(tag, ...bases)];
  };
  const value = derSequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded));
  return extension('2.5.29.30', value, critical);
}
