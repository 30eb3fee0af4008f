import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { Clock } from '@neural-hive/security/common';
import { audiencesOf, decodeSignedToken, isSignedBy } from '../auth/signed-token.ts';
import { newUuid } from '../random-text.ts';
import type { StateSection } from '../state/journal.ts';

export const SERVICE_ACCOUNT_ISSUER = 'https://kubernetes.default.svc';

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

export interface ReviewedToken extends ServiceAccount {
  readonly uid: string;
  readonly audiences: readonly string[];
}

interface Saved {
  readonly keyId: string;
  readonly privateKeyPem: string;
  readonly uids: Record<string, string>;
}

/** Plays the part of a Kubernetes API server that signs service-account tokens and reviews them. */
export class ServiceAccountIssuer implements StateSection {
  readonly #clock: Clock;
  readonly #keyId: string;
  readonly #privateKey: KeyObject;
  readonly #uids: Map<string, string>;

  constructor(clock: Clock, saved: unknown) {
    const state = saved as Saved | undefined;
    this.#clock = clock;
    this.#keyId = state?.keyId ?? newUuid();
    this.#privateKey =
      state === undefined
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
        : createPrivateKey(state.privateKeyPem);
    this.#uids = new Map(Object.entries(state?.uids ?? {}));
  }

  /** A token as a kubelet would project it into a pod. */
  issue(
    account: ServiceAccount,
    { audiences, ttlSeconds }: { audiences: readonly string[]; ttlSeconds: number },
  ): string {
    const nowSeconds = Math.floor(this.#clock.now() / 1000);
    const header = { alg: 'ES256', kid: this.#keyId, typ: 'JWT' };
    const claims = {
      iss: SERVICE_ACCOUNT_ISSUER,
      sub: `system:serviceaccount:${account.namespace}:${account.name}`,
      aud: audiences,
      iat: nowSeconds,
      nbf: nowSeconds,
      exp: nowSeconds + ttlSeconds,
      jti: newUuid(),
      'kubernetes.io': {
        namespace: account.namespace,
        serviceaccount: { name: account.name, uid: this.#uidOf(account) },
      },
    };
    const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const signature = sign('sha256', Buffer.from(signed), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  /** Whom the token stands for and which of the asked audiences it is for, or `undefined` when it is not good. */
  review(token: string, audiences: readonly string[]): ReviewedToken | undefined {
    const claims = this.#verifiedClaims(token);
    if (claims === undefined) return undefined;
    const [, , namespace, name] = String(claims.sub).split(':');
    if (namespace === undefined || name === undefined) return undefined;
    const own = audiencesOf(claims);
    const common = audiences.length === 0 ? own : own.filter((audience) => audiences.includes(audience));
    if (common.length === 0) return undefined;
    return { namespace, name, uid: this.#uidOf({ namespace, name }), audiences: common };
  }

  save(): Saved {
    return {
      keyId: this.#keyId,
      privateKeyPem: this.#privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      uids: Object.fromEntries(this.#uids),
    };
  }

  #verifiedClaims(token: string): Readonly<Record<string, unknown>> | undefined {
    try {
      const decoded = decodeSignedToken(token);
      if (!isSignedBy(decoded, [{ id: this.#keyId, key: createPublicKey(this.#privateKey) }], ['ES256']))
        return undefined;
      const { exp, nbf } = decoded.claims;
      const nowSeconds = this.#clock.now() / 1000;
      if (typeof exp !== 'number' || nowSeconds >= exp) return undefined;
      return typeof nbf === 'number' && nowSeconds >= nbf - 1 ? decoded.claims : undefined;
    } catch {
      return undefined;
    }
  }

  #uidOf({ namespace, name }: ServiceAccount): string {
    const key = `${namespace}/${name}`;
    const uid = this.#uids.get(key) ?? newUuid();
    this.#uids.set(key, uid);
    return uid;
  }
}
