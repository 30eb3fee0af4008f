import { buildChain, type CertificatePlan, type ChainPlan, NOW } from './chain.ts';

export const ID = 'spiffe://example.org/ns/prod/sa/api';

/** One byte of one certificate of the plan, changed after it was signed. */
export interface Damage {
  readonly certificate: number;
  /** From 0 to 1, of the length. */
  readonly at: number;
  readonly by: number;
}

export interface X509Case {
  readonly plan: ChainPlan;
  /** Which certificate of the plan is trusted; the root is 0. */
  readonly anchor: number;
  /** Which certificates come with the leaf, in this order; the anchor may be among them. */
  readonly shown: readonly number[];
  readonly atSeconds: number;
  /** What OpenSSL is asked for; our verifier always wants both. */
  readonly purpose: 'sslserver' | 'sslclient' | 'any';
  readonly damage?: Damage;
  /** Only what OpenSSL is told. */
  readonly strict: boolean;
  readonly authLevel: number;
  readonly changes: readonly string[];
}

export interface BuiltCase {
  readonly anchor: Uint8Array;
  readonly leaf: Uint8Array;
  readonly shown: readonly Uint8Array[];
}

export function build({ plan, anchor, shown, damage }: X509Case): BuiltCase {
  const chain = buildChain(plan).map((der, index) => (damage?.certificate === index ? damaged(der, damage) : der));
  const at = (index: number): Uint8Array => chain[index] ?? new Uint8Array();
  return { anchor: at(anchor), leaf: at(chain.length - 1), shown: shown.map(at) };
}

function damaged(der: Uint8Array, { at, by }: Damage): Uint8Array {
  const copy = Uint8Array.from(der);
  const index = Math.min(copy.length - 1, Math.floor(at * copy.length));
  copy[index] = (copy[index] ?? 0) ^ by;
  return copy;
}

const DAY = 86_400;
const MADE = {
  uris: ['spiffe://example.org'],
  dnsNames: [],
  namesCritical: false,
  subjectKeyId: true,
  authorityKeyId: 'right',
  keyUsage: { usages: ['keyCertSign', 'cRLSign'], critical: true },
} as const satisfies Partial<CertificatePlan>;

/** A chain that both sides accept. */
export function goodCase(intermediates: number): X509Case {
  const authorities = Array.from({ length: intermediates + 1 }, (_, index): CertificatePlan => {
    const limit = index === 0 ? {} : { pathLength: intermediates - index };
    return {
      ...MADE,
      subject: index === 0 ? 'root' : `authority ${index}`,
      key: index % 2 === 0 ? 'p256' : 'p256Other',
      notBefore: NOW - 100 * DAY,
      notAfter: NOW + 100 * DAY,
      basicConstraints: { ca: true, critical: true, ...limit },
    };
  });
  const leaf: CertificatePlan = {
    ...MADE,
    subject: 'workload',
    key: 'workload',
    notBefore: NOW - 60,
    notAfter: NOW + 3600,
    basicConstraints: { ca: false, critical: true },
    keyUsage: { usages: ['digitalSignature'], critical: true },
    purposes: ['serverAuth', 'clientAuth'],
    uris: [ID],
  };
  return {
    plan: [...authorities, leaf],
    anchor: 0,
    shown: Array.from({ length: intermediates }, (_, index) => intermediates - index),
    atSeconds: NOW,
    purpose: 'sslserver',
    strict: true,
    authLevel: 2,
    changes: [`${intermediates} intermediates`],
  };
}
