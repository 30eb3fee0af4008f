import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { Secret } from '../../common/index.ts';
import { type JsonObject, parseStrictJson } from '../../encoding/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { SpiffeId } from '../spiffe-id.ts';
import { isObject } from './compact-jws.ts';
import { readWitToken } from './wit-token.ts';

/** A workload's own WIT-SVID with the key that proves its possession. */
export interface WitSvid {
  readonly token: Secret<string>;
  readonly id: SpiffeId;
  readonly privateKey: KeyObject;
  /** The algorithm of proofs by that key. */
  readonly algorithm: string;
  readonly expiresAtMs: number;
  readonly claims: Readonly<Record<string, unknown>>;
  /** What the operator wants this SVID used for. */
  readonly hint?: string;
}

const PRIVATE_PARAMETERS = ['kty', 'crv', 'x', 'y', 'd', 'n', 'e', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/**
 * Reads one's own WIT-SVID as the Workload API hands it out; the private key must be that of its confirmation key. The
 * signature is not checked.
 * @throws SpiffeError `WIT_MALFORMED`, `WIT_CLAIMS_INVALID`, `WIT_KEY_MISMATCH`
 */
export function parseWitSvid(token: string, privateKeyJwk: string, options: { readonly hint?: string } = {}): WitSvid {
  const { id, claims, expiresAtMs, confirmationKey, confirmationAlgorithm } = readWitToken(token);
  const privateKey = readPrivateKey(privateKeyJwk);
  if (!createPublicKey(privateKey).equals(confirmationKey)) {
    throw new SpiffeError('WIT_KEY_MISMATCH', 'The private key is not that of the confirmation key of the WIT-SVID');
  }
  const { hint = '' } = options;
  return {
    token: new Secret(token),
    id,
    privateKey,
    algorithm: confirmationAlgorithm,
    expiresAtMs,
    claims,
    ...(hint === '' ? {} : { hint }),
  };
}

/** The error has no cause: nothing about a private key travels. */
function readPrivateKey(text: string): KeyObject {
  try {
    const jwk = parseStrictJson(text, { maxBytes: 16_384 });
    if (isObject(jwk)) return createPrivateKey({ key: privateParameters(jwk), format: 'jwk' });
  } catch {
    // Told below.
  }
  throw new SpiffeError('WIT_KEY_MISMATCH', 'The WIT-SVID has a key that is no private JWK');
}

function privateParameters(jwk: JsonObject): JsonWebKey {
  const parameters: JsonWebKey = {};
  for (const name of PRIVATE_PARAMETERS) {
    const value = jwk[name];
    if (typeof value === 'string') parameters[name] = value;
  }
  return parameters;
}
