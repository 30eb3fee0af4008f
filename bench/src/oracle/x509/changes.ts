import fc from 'fast-check';
import { ID, type X509Case } from './case.ts';
import type { CertificatePlan, KeyName, NameConstraints, Purpose, Usage } from './chain.ts';

export interface Change {
  readonly name: string;
  readonly apply: (question: X509Case) => X509Case;
}

type Who = 'leaf' | 'authority' | 'any';

/** Changes one certificate; `which` chooses among those that it may be. */
function certificate<Value>(
  who: Who,
  name: string,
  values: readonly Value[],
  edit: (plan: CertificatePlan, value: Value) => CertificatePlan,
): fc.Arbitrary<Change> {
  return fc.tuple(fc.constantFrom(...values), fc.nat(1000)).map(([value, which]) => ({
    name: `${who} ${which}: ${name} ${JSON.stringify(value) ?? 'absent'}`,
    apply: (question) => {
      const last = question.plan.length - 1;
      const target = who === 'leaf' ? last : which % (who === 'authority' ? last : last + 1);
      return { ...question, plan: question.plan.map((plan, index) => (index === target ? edit(plan, value) : plan)) };
    },
  }));
}

function whole(name: string, apply: (question: X509Case) => X509Case): fc.Arbitrary<Change> {
  return fc.constant({ name, apply });
}

/** Without the member when there is no value: an optional one may not be `undefined`. */
function withOptional<Key extends keyof CertificatePlan>(
  plan: CertificatePlan,
  key: Key,
  value: CertificatePlan[Key] | undefined,
) {
  const { [key]: _, ...rest } = plan;
  return (value === undefined ? rest : { ...rest, [key]: value }) as CertificatePlan;
}

const usages: readonly (readonly Usage[] | undefined)[] = [
  ...([['digitalSignature'], ['keyCertSign'], ['cRLSign'], ['digitalSignature', 'keyCertSign']] as const),
  ...([['digitalSignature', 'cRLSign'], ['keyEncipherment'], ['keyAgreement'], []] as const),
  ...([
    ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
    ['keyCertSign', 'digitalSignature', 'cRLSign'],
  ] as const),
  undefined,
];
const purposes: readonly (readonly Purpose[] | undefined)[] = [
  ...([['serverAuth'], ['clientAuth'], ['serverAuth', 'clientAuth'], ['codeSigning'], ['any']] as const),
  ...([
    ['any', 'serverAuth', 'clientAuth'],
    ['clientAuth', 'codeSigning', 'serverAuth'],
  ] as const),
  undefined,
];
const hosts = ['example.org', '.example.org', 'EXAMPLE.org', 'org', '.org', 'xample.org', 'other.org'];
const constraint = (kind: NameConstraints['kind'], permitted: string[], excluded: string[], critical: boolean) =>
  ({ kind, permitted, excluded, critical }) satisfies NameConstraints;
const constraints: readonly NameConstraints[] = hosts.flatMap((host) => [
  constraint('uri', [host], [], true),
  constraint('uri', [], [host], false),
  constraint('uri', ['example.org'], [host], true),
  constraint('dns', [host], [], true),
]);
const keys: readonly KeyName[] = ['p384', 'p521', 'rsa2048', 'rsa1024', 'ed25519', 'p256Other'];
const hashes = ['sha1', 'sha256', 'sha384', 'sha512'] as const;

/** Up to and beyond the moment of judging, which may lie at it or a second from it. */
const edges = [-2, -1, 0, 1, 2];

const ofOne = [
  certificate('leaf', 'URIs', [[], [ID, ID], [ID, 'https://example.org'], ['https://example.org/a']], (plan, uris) => ({
    ...plan,
    uris,
  })),
  certificate(
    'leaf',
    'URI',
    [
      ...['spiffe://example.org', 'spiffe://foreign.org/a', 'spiffe://EXAMPLE.org/a', `${ID}/`, `${ID}/../b`, 'alice'],
      ...[
        'spiffe://sub.example.org/a',
        'spiffe://example.org:80/a',
        'spiffe://example.org/b',
        'SPIFFE://example.org/a',
      ],
    ],
    (plan, uri) => ({ ...plan, uris: [uri] }),
  ),
  certificate('authority', 'URI', ['', ID, 'spiffe://foreign.org', 'https://example.org'], (plan, uri) => ({
    ...plan,
    uris: uri === '' ? [] : [uri],
  })),
  certificate('any', 'DNS names', [['api.example.org'], ['other.org'], ['.'], ['*.example.org']], (plan, dnsNames) => ({
    ...plan,
    dnsNames,
  })),
  certificate('any', 'names critical', [true, false], (plan, namesCritical) => ({ ...plan, namesCritical })),
  certificate('any', 'subject', [undefined, 'root', 'other'], (plan, subject) => ({ ...plan, subject })),
  certificate('any', 'issuer', ['root', 'nobody'], (plan, issuer) => ({ ...plan, issuer })),
  certificate('any', 'key', keys, (plan, key) => ({ ...plan, key })),
  certificate('authority', 'key', keys, (plan, key) => ({ ...plan, key })),
  certificate('any', 'signed by', ['stranger'] as const, (plan, signedBy) => ({ ...plan, signedBy })),
  certificate('any', 'hash', hashes, (plan, hash) => ({ ...plan, hash })),
  certificate('any', 'CA', [undefined, true, false], (plan, ca) =>
    withOptional(plan, 'basicConstraints', ca === undefined ? undefined : { ca, critical: true }),
  ),
  certificate('any', 'critical constraints', [true, false], (plan, critical) => {
    const { basicConstraints } = plan;
    return withOptional(plan, 'basicConstraints', basicConstraints && { ...basicConstraints, critical });
  }),
  certificate('authority', 'path length', [0, 1, 2], (plan, pathLength) => ({
    ...plan,
    basicConstraints: { ca: true, critical: true, pathLength },
  })),
  certificate('any', 'usages', usages, (plan, list) =>
    withOptional(plan, 'keyUsage', list && { usages: list, critical: true }),
  ),
  certificate('any', 'critical usage', [true, false], (plan, critical) =>
    withOptional(plan, 'keyUsage', plan.keyUsage && { ...plan.keyUsage, critical }),
  ),
  certificate('any', 'purposes', purposes, (plan, list) => withOptional(plan, 'purposes', list)),
  certificate('leaf', 'purposes', purposes, (plan, list) => withOptional(plan, 'purposes', list)),
  certificate('authority', 'name constraints', constraints, (plan, nameConstraints) => ({ ...plan, nameConstraints })),
  certificate('leaf', 'name constraints', constraints, (plan, nameConstraints) => ({ ...plan, nameConstraints })),
  certificate('any', 'unknown extension, critical', [true, false], (plan, critical) => ({
    ...plan,
    unknownExtension: { critical },
  })),
  certificate('any', 'subject key id', [false], (plan, subjectKeyId) => ({ ...plan, subjectKeyId })),
  certificate('any', 'authority key id', ['wrong', 'absent'] as const, (plan, authorityKeyId) => ({
    ...plan,
    authorityKeyId,
  })),
];

const atEdge = fc.tuple(fc.nat(1000), fc.constantFrom(...edges), fc.boolean()).map(
  ([which, offset, end]): Change => ({
    name: `judged ${offset} s from the ${end ? 'end' : 'beginning'} of certificate ${which}`,
    apply: (question) => {
      const plan = question.plan[which % question.plan.length];
      const edge = (end ? plan?.notAfter : plan?.notBefore) ?? 0;
      return { ...question, atSeconds: edge + offset };
    },
  }),
);
/** The life of one ends at a moment that lies within those of the others. */
const shortLife = fc.tuple(fc.nat(1000), fc.constantFrom(...edges), fc.boolean()).map(
  ([which, offset, end]): Change => ({
    name: `certificate ${which} ${end ? 'ends' : 'begins'} ${offset} s from the moment of judging`,
    apply: (question) => {
      const edge = { [end ? 'notAfter' : 'notBefore']: question.atSeconds + offset };
      const target = which % question.plan.length;
      return {
        ...question,
        plan: question.plan.map((plan, index) => (index === target ? { ...plan, ...edge } : plan)),
      };
    },
  }),
);
const damage = fc.tuple(fc.nat(1000), fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 255 })).map(
  ([which, at, by]): Change => ({
    name: `certificate ${which} damaged at ${at}`,
    apply: (question) => ({ ...question, damage: { certificate: which % question.plan.length, at, by } }),
  }),
);
/** From the last bytes: the signature. */
const damagedSignature = fc.tuple(fc.nat(1000), fc.double({ min: 0.9, max: 1, noNaN: true })).map(
  ([which, at]): Change => ({
    name: `certificate ${which} damaged at ${at}`,
    apply: (question) => ({ ...question, damage: { certificate: which % question.plan.length, at, by: 1 } }),
  }),
);

const ofShown = [
  whole('no intermediates shown', (question) => ({ ...question, shown: [] })),
  whole('the last intermediate not shown', (question) => ({ ...question, shown: question.shown.slice(0, -1) })),
  whole('in the other order', (question) => ({ ...question, shown: question.shown.toReversed() })),
  whole('the root shown too', (question) => ({ ...question, shown: [...question.shown, 0] })),
  whole('the leaf shown twice', (question) => ({ ...question, shown: [question.plan.length - 1, ...question.shown] })),
  whole('an intermediate is trusted', (question) => ({ ...question, anchor: Math.max(0, question.plan.length - 2) })),
  whole('the authority shows itself', ({ plan, ...question }) => ({ ...question, plan: plan.slice(0, -1) })),
];

export const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { arbitrary: fc.oneof(...ofOne), weight: 12 },
  { arbitrary: fc.oneof(atEdge, shortLife), weight: 2 },
  { arbitrary: fc.oneof(damage, damagedSignature), weight: 1 },
  { arbitrary: fc.oneof(...ofShown), weight: 2 },
);
