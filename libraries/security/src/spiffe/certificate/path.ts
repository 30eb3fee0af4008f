import { messageOf } from '../../common/index.ts';
import type { Certificate } from './certificate.ts';
import { constraintProblem } from './name-constraints.ts';
import { isSignedBy } from './signature.ts';

/** Signatures checked for one chain before it is given up; certificates that issue each other cannot cost more. */
const MAX_SIGNATURE_CHECKS = 64;
const MAX_PATH_LENGTH = 10;

export interface PathQuestion {
  readonly leaf: Certificate;
  /** What the peer sent besides its leaf, in any order. */
  readonly intermediates: readonly Certificate[];
  /** The authorities of the leaf's trust domain and of no other. */
  readonly anchors: readonly Certificate[];
  readonly nowMs: number;
  /** Throws when a certificate may not issue in this trust domain. */
  readonly assertIssuer: (issuer: Certificate, kind: 'anchor' | 'intermediate') => void;
}

export type PathAnswer =
  | { readonly path: readonly Certificate[] }
  | { readonly path?: never; readonly reasons: readonly string[] };

/**
 * Builds a path from the leaf to an anchor (RFC 5280, section 6): names chain, signatures hold, every issuer is an
 * authority within its validity and its path length. An anchor may be an intermediate authority.
 */
export function buildPath(question: PathQuestion): PathAnswer {
  const search = new PathSearch(question);
  const path = search.from([question.leaf]);
  return path === undefined ? { reasons: search.reasons } : { path };
}

class PathSearch {
  readonly reasons: string[] = [];
  readonly #question: PathQuestion;
  #signatureChecks = 0;

  constructor(question: PathQuestion) {
    this.#question = question;
  }

  from(path: readonly Certificate[]): readonly Certificate[] | undefined {
    const { anchors, intermediates } = this.#question;
    for (const anchor of anchors) {
      if (this.#issues(anchor, path, 'anchor')) return [...path, anchor];
    }
    if (path.length === MAX_PATH_LENGTH) return undefined;
    for (const intermediate of intermediates) {
      const used = path.some(({ der }) => Buffer.compare(der, intermediate.der) === 0);
      const found =
        !used && this.#issues(intermediate, path, 'intermediate') ? this.from([...path, intermediate]) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #issues(issuer: Certificate, path: readonly Certificate[], kind: 'anchor' | 'intermediate'): boolean {
    const subject = path[path.length - 1];
    if (subject === undefined || Buffer.compare(subject.issuer, issuer.subject) !== 0) return false;
    const problem = this.#problem(issuer, path, kind) ?? this.#signatureProblem(subject, issuer);
    if (problem !== undefined) this.reasons.push(problem);
    return problem === undefined;
  }

  #problem(issuer: Certificate, path: readonly Certificate[], kind: 'anchor' | 'intermediate'): string | undefined {
    const { nowMs, assertIssuer } = this.#question;
    if (nowMs < issuer.notBeforeMs || nowMs > issuer.notAfterMs) return 'an issuer is outside its validity';
    // RFC 5280, 4.2.1.9: the limit counts intermediates below, and self-issued ones are not counted.
    const below = path.slice(1).filter(({ issuer: by, subject }) => Buffer.compare(by, subject) !== 0).length;
    const limit = issuer.basicConstraints?.pathLength;
    if (limit !== undefined && below > limit) return 'an issuer allows fewer intermediates';
    try {
      assertIssuer(issuer, kind);
      return constraintProblem(issuer, path);
    } catch (error) {
      return messageOf(error);
    }
  }

  #signatureProblem(subject: Certificate, issuer: Certificate): string | undefined {
    if (this.#signatureChecks === MAX_SIGNATURE_CHECKS) return 'too many signatures would have to be checked';
    this.#signatureChecks += 1;
    return isSignedBy(subject, issuer) ? undefined : 'a signature does not verify';
  }
}
