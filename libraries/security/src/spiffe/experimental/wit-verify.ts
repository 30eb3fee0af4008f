import type { KeyObject } from 'node:crypto';
import { systemClock } from '../../common/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { SpiffeId } from '../spiffe-id.ts';
import { fitsAlgorithm, verifyJwtSignature } from '../svid/jwt/algorithms.ts';
import type { WitBundleSource } from './wit-bundle.ts';
import { readWitToken, type WitToken } from './wit-token.ts';

/** What a proof of possession is checked against. */
export interface WitConfirmation {
  /** The token itself, which a proof refers to by its digest. */
  readonly token: string;
  readonly key: KeyObject;
  readonly algorithm: string;
  readonly nowMs: number;
}

export interface WitVerifyOptions {
  readonly bundles: WitBundleSource;
  /**
   * Whether the peer proved that it holds the confirmation key, such as `wimseProof(…)` or the check of an HTTP message
   * signature. Without it a stolen token would do.
   */
  readonly proof: (confirmation: WitConfirmation) => boolean;
  /** How far clocks may differ, in seconds from 0 to 120, default 30. */
  readonly leewaySeconds?: number;
  /** The moment to judge at, default now. */
  readonly nowMs?: number;
}

export interface VerifiedWitSvid {
  readonly id: SpiffeId;
  readonly expiresAtMs: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

const DEFAULT_LEEWAY_SECONDS = 30;
const MAX_LEEWAY_SECONDS = 120;

/**
 * Verifies a peer's WIT-SVID with the keys of its subject's own trust domain, then the proof that the peer holds its key.
 * It is no bearer token: it never travels in `authorization`, and `verifyJwtSvid` refuses it.
 * @throws TypeError without a proof; RangeError for a leeway out of range
 * @throws SpiffeError `WIT_MALFORMED`, `WIT_CLAIMS_INVALID`, `BUNDLE_NOT_FOUND`, `WIT_SIGNATURE_INVALID`, `WIT_EXPIRED`,
 * `WIT_NOT_YET_VALID`, `WIT_PROOF_REFUSED`
 */
export function verifyWitSvid(token: string, options: WitVerifyOptions): VerifiedWitSvid {
  const { bundles, proof, leewaySeconds = DEFAULT_LEEWAY_SECONDS, nowMs = systemClock.now() } = options;
  if (typeof proof !== 'function') throw new TypeError('proof must check that the peer holds the confirmation key');
  if (!(leewaySeconds >= 0 && leewaySeconds <= MAX_LEEWAY_SECONDS)) {
    throw new RangeError(`leewaySeconds must lie between 0 and ${MAX_LEEWAY_SECONDS}`);
  }
  const wit = readWitToken(token);
  assertSignature(wit, bundles);
  const leewayMs = leewaySeconds * 1000;
  if (nowMs >= wit.expiresAtMs + leewayMs) {
    throw new SpiffeError('WIT_EXPIRED', `The WIT-SVID of ${wit.id} has expired`);
  }
  if (wit.notBeforeMs !== undefined && nowMs < wit.notBeforeMs - leewayMs) {
    throw new SpiffeError('WIT_NOT_YET_VALID', `The WIT-SVID of ${wit.id} is not valid yet`);
  }
  assertProof(wit, proof, { token, key: wit.confirmationKey, algorithm: wit.confirmationAlgorithm, nowMs });
  return { id: wit.id, expiresAtMs: wit.expiresAtMs, claims: wit.claims };
}

function assertSignature(wit: WitToken, bundles: WitBundleSource): void {
  const { trustDomain } = wit.id;
  const bundle = bundles.getWitBundle(trustDomain);
  if (bundle === undefined || !bundle.trustDomain.equals(trustDomain)) {
    throw new SpiffeError('BUNDLE_NOT_FOUND', `There is no WIT bundle of the trust domain ${trustDomain}`);
  }
  const key = bundle.keys.find(({ kid }) => kid === wit.kid);
  const fits = key !== undefined && (key.algorithm ?? wit.algorithm) === wit.algorithm;
  if (fits && fitsAlgorithm(key.publicKey, wit.algorithm)) {
    if (verifyJwtSignature(wit.algorithm, wit.signed, key.publicKey, wit.signature)) return;
  }
  throw new SpiffeError('WIT_SIGNATURE_INVALID', `No key of ${trustDomain} made the signature of the WIT-SVID`);
}

function assertProof(wit: WitToken, proof: WitVerifyOptions['proof'], confirmation: WitConfirmation): void {
  let cause: unknown;
  try {
    if (proof(confirmation) === true) return;
  } catch (error) {
    cause = error;
  }
  const message = `The peer did not prove that it holds the key of the WIT-SVID of ${wit.id}`;
  throw new SpiffeError('WIT_PROOF_REFUSED', message, { cause });
}
