import type { Secret } from '../../common/index.ts';

/** One token in the client's life. Its end moves with each renewal. */
export interface VaultToken {
  readonly accessor: string;
  /** When it was issued, or renewed last. */
  readonly issuedAtMs: number;
  /** `Infinity` for a token that does not end. */
  readonly expiresAtMs: number;
  readonly renewable: boolean;
  /** Counts the logins of this client, from 1. */
  readonly generation: number;
}

/** Why a token was replaced by a new login. */
export type TokenReplacementReason =
  | 'forced'
  /** It cannot be renewed and its time had come. */
  | 'due'
  /** A renewal did not extend it to its full duration again: its maximum lifetime is near. */
  | 'max-ttl'
  /** No renewal succeeded in time: what is left of it is needed to hand over what it owns. */
  | 'overdue'
  /** The server refused to renew it. */
  | 'renewal-refused'
  /** The certificate that it is bound to was replaced. */
  | 'certificate-rotated'
  /** It ended before it could be replaced. */
  | 'expired'
  /** The server does not know it any more. */
  | 'lost';

/** The live form of a token. Counts the requests that use it, so that it is not revoked under one of them. */
export class TokenRecord implements VaultToken {
  readonly secret: Secret<string>;
  readonly accessor: string;
  readonly type: string;
  readonly generation: number;
  issuedAtMs: number;
  expiresAtMs: number;
  /** The longest duration the server ever gave it. */
  lifetimeMs: number;
  renewable: boolean;
  /** Set once a newer token took over or this one died. */
  retired = false;
  #users = 0;
  #whenUnused: (() => void)[] = [];

  constructor(fields: {
    secret: Secret<string>;
    accessor: string;
    type: string;
    generation: number;
    issuedAtMs: number;
    lifetimeMs: number;
    renewable: boolean;
  }) {
    this.secret = fields.secret;
    this.accessor = fields.accessor;
    this.type = fields.type;
    this.generation = fields.generation;
    this.issuedAtMs = fields.issuedAtMs;
    this.lifetimeMs = fields.lifetimeMs;
    this.expiresAtMs = fields.issuedAtMs + fields.lifetimeMs;
    this.renewable = fields.renewable;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
      if (this.#users === 0) for (const resolve of this.#whenUnused.splice(0)) resolve();
    }
  }

  /** Resolves once no request uses it. */
  unused(): Promise<void> {
    return this.#users === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenUnused.push(resolve));
  }

  /** What may be shown of it. */
  snapshot(): VaultToken {
    const { accessor, issuedAtMs, expiresAtMs, renewable, generation } = this;
    return { accessor, issuedAtMs, expiresAtMs, renewable, generation };
  }
}
