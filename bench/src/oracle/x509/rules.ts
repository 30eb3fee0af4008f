import type { Rule } from '../compare.ts';
import type { X509Case } from './case.ts';
import type { CertificatePlan } from './chain.ts';

/** SPIFFE-ID, 2: the trust domain and the path. */
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/(?!\.{1,2}(?:\/|$))[a-zA-Z0-9._-]+)*)$/;
const TRUST_DOMAIN = 'example.org';

const leafOf = ({ plan }: X509Case): CertificatePlan => plan[plan.length - 1] as CertificatePlan;
const authoritiesOf = ({ plan }: X509Case): readonly CertificatePlan[] => plan.slice(0, -1);

/** What our verifier refuses by X509-SVID, and OpenSSL has not heard of. The plan says what stands in the leaf. */
function ofLeaf(name: string, holds: (leaf: CertificatePlan) => boolean): Rule<X509Case> {
  return { name, refusedBy: 'ours', holds: (question) => holds(leafOf(question)) };
}

const idOf = ({ uris }: CertificatePlan): RegExpExecArray | null => SPIFFE_ID.exec(uris[0] ?? '');

const OURS: readonly Rule<X509Case>[] = [
  ofLeaf('a leaf has exactly one URI name (X509-SVID, 2)', ({ uris }) => uris.length !== 1),
  ofLeaf('the URI of a leaf is a SPIFFE ID (X509-SVID, 5.2)', (leaf) => leaf.uris.length === 1 && idOf(leaf) === null),
  ofLeaf('the ID of a leaf has a path (X509-SVID, 5.2)', (leaf) => idOf(leaf)?.[2] === ''),
  ofLeaf(
    'the trust domain of a leaf has a bundle (W-08)',
    (leaf) => ![undefined, TRUST_DOMAIN].includes(idOf(leaf)?.[1]),
  ),
  ofLeaf('a leaf is no authority (X509-SVID, 4.1)', (leaf) => leaf.basicConstraints?.ca === true),
  ofLeaf('a leaf has a critical key usage (X509-SVID, 4.3)', ({ keyUsage }) => !keyUsage?.critical),
  ofLeaf(
    'a leaf may not sign certificates or lists (X509-SVID, 4.3)',
    ({ keyUsage }) => keyUsage?.usages.some((usage) => usage === 'keyCertSign' || usage === 'cRLSign') === true,
  ),
  ofLeaf(
    'a leaf may make digital signatures (X509-SVID, 4.3)',
    ({ keyUsage }) => keyUsage !== undefined && !keyUsage.usages.includes('digitalSignature'),
  ),
  ofLeaf(
    'a leaf is for server and client (X509-SVID, 4.4)',
    ({ purposes }) => purposes !== undefined && !(purposes.includes('serverAuth') && purposes.includes('clientAuth')),
  ),
  ofLeaf('only an authority has name constraints (RFC 5280, 4.2.1.10)', (leaf) => leaf.nameConstraints !== undefined),
  {
    name: 'the ID of an authority has no path and its own trust domain (X509-SVID, 3.2)',
    refusedBy: 'ours',
    holds: (question) =>
      authoritiesOf(question).some(({ uris }) =>
        uris.some((uri) => uri.startsWith('spiffe:') && uri !== `spiffe://${TRUST_DOMAIN}`),
      ),
  },
  {
    name: 'constraints of names other than URIs refuse such names (decision 5)',
    refusedBy: 'ours',
    holds: ({ plan }) =>
      plan.some(
        ({ nameConstraints }, index) =>
          nameConstraints?.kind === 'dns' && plan.slice(index + 1).some(({ dnsNames }) => dnsNames.length > 0),
      ),
  },
];

/** What OpenSSL refuses, strict as it is asked to be, and the specifications leave to issuers or leave open. */
function ofPeer(
  name: string,
  holds: (plan: CertificatePlan, index: number, question: X509Case) => boolean,
  mend: (plan: CertificatePlan, index: number) => CertificatePlan,
): Rule<X509Case> {
  return {
    name,
    refusedBy: 'peer',
    holds: (question) => question.plan.some((plan, index) => holds(plan, index, question)),
    without: (question) => ({
      ...question,
      plan: question.plan.map((plan, index) => (holds(plan, index, question) ? mend(plan, index) : plan)),
    }),
  };
}

const isLeaf = (index: number, { plan }: X509Case): boolean => index === plan.length - 1;

const PEER: readonly Rule<X509Case>[] = [
  ofPeer(
    'the last second of a life belongs to it (RFC 5280, 4.1.2.5), not so in OpenSSL',
    ({ notAfter }, _index, { atSeconds }) => notAfter === atSeconds,
    (plan) => ({ ...plan, notAfter: plan.notAfter + 1 }),
  ),
  ofPeer(
    'key identifiers help to find a path and bind issuers only (RFC 5280, 4.2.1.1 and 4.2.1.2)',
    ({ subjectKeyId, authorityKeyId }) => !subjectKeyId || authorityKeyId !== 'right',
    (plan) => ({ ...plan, subjectKeyId: true, authorityKeyId: 'right' }),
  ),
  ofPeer(
    'whether the constraints of an authority are critical binds issuers only (RFC 5280, 4.2.1.9)',
    ({ basicConstraints }) => basicConstraints?.critical === false,
    (plan) =>
      plan.basicConstraints ? { ...plan, basicConstraints: { ...plan.basicConstraints, critical: true } } : plan,
  ),
  ofPeer(
    'an anchor may lack a key usage (RFC 5280, 6.1.4 n)',
    ({ keyUsage }, index, { anchor }) => index === anchor && keyUsage === undefined,
    (plan) => ({ ...plan, keyUsage: { usages: ['keyCertSign'], critical: true } }),
  ),
  ofPeer(
    'the purposes of an authority do not bind what it issues (X509-SVID, 4.4 leaves it open)',
    ({ purposes }, index, question) => purposes !== undefined && !isLeaf(index, question),
    ({ purposes: _, ...plan }) => plan,
  ),
  ofPeer(
    'the size of the key of a leaf is for its authority to judge',
    ({ key }, index, question) => key === 'rsa1024' && isLeaf(index, question),
    (plan) => ({ ...plan, key: 'workload' }),
  ),
  ofPeer(
    'that an empty subject goes with critical names, and no issuer is nameless, binds issuers only (RFC 5280, 4.1.2)',
    ({ subject }) => subject === undefined,
    (plan, index) => ({ ...plan, subject: `named ${index}` }),
  ),
];

export const X509_RULES: readonly Rule<X509Case>[] = [...OURS, ...PEER];
