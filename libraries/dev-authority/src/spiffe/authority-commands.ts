import type { Clock } from '@neural-hive/security/common';
import { activate, activeOf, type Lineage, prepare, preparedOf, revoke, taint } from './authority-lineage.ts';
import type { AuthorityKind, AuthoritySlot } from './authority-slot.ts';
import type { TrustDomainAuthorities } from './trust-domain-authorities.ts';

/** `rotate` is prepare, unless one is prepared, and activate in one. */
export const AUTHORITY_STEPS = ['prepare', 'activate', 'taint', 'revoke', 'rotate'] as const;
export type AuthorityStep = (typeof AUTHORITY_STEPS)[number];

export interface AuthorityCommandOptions {
  readonly authorities: TrustDomainAuthorities;
  readonly clock: Clock;
  /** Replaces every X509-SVID at once. */
  readonly renewX509: () => void;
}

/** What an operator of SPIRE does with `localauthority`, on one kind of authority. */
export class AuthorityCommands {
  readonly #options: AuthorityCommandOptions;

  constructor(options: AuthorityCommandOptions) {
    this.#options = options;
  }

  /** Public facts of both kinds and the number of the bundle. */
  show(): Readonly<Record<string, unknown>> {
    const { authorities } = this.#options;
    const { x509, jwt } = authorities.lineages;
    return { x509: x509.map(described), jwt: jwt.map(described), ...this.#sequence() };
  }

  /**
   * Answers with the facts of the authority that the step was about.
   * @throws Fault `invalid_request` when none is in the state that the step begins with
   */
  async run(kind: AuthorityKind, step: AuthorityStep, id?: string): Promise<Readonly<Record<string, unknown>>> {
    const { authorities, renewX509 } = this.#options;
    let about: AuthoritySlot | undefined;
    await authorities.change(kind, (lineage) => {
      const next = this.#step(kind, step, lineage, id);
      about = subject(step, lineage, next);
      return next;
    });
    // What a tainted authority signed is replaced at once; JWT-SVIDs are signed anew for every call anyway.
    if (kind === 'x509' && (step === 'taint' || step === 'rotate')) renewX509();
    return { ...(about === undefined ? {} : described(about)), ...this.#sequence() };
  }

  #step(kind: AuthorityKind, step: AuthorityStep, lineage: Lineage, id: string | undefined): Lineage {
    const { authorities, clock } = this.#options;
    switch (step) {
      case 'prepare':
        return prepare(lineage, authorities.fresh(kind));
      case 'activate':
        return activate(lineage, clock.now(), id);
      case 'taint':
        return taint(lineage, id);
      case 'revoke':
        return revoke(lineage, id);
      case 'rotate': {
        const ready = preparedOf(lineage) === undefined ? prepare(lineage, authorities.fresh(kind)) : lineage;
        return activate(ready, clock.now());
      }
    }
  }

  #sequence(): { sequence: number } {
    return { sequence: Number(this.#options.authorities.spiffeBundle().sequence) };
  }
}

function subject(step: AuthorityStep, before: Lineage, after: Lineage): AuthoritySlot | undefined {
  switch (step) {
    case 'prepare':
      return preparedOf(after);
    case 'activate':
    case 'rotate':
      return activeOf(after);
    case 'taint':
      return after.find((slot) => !before.includes(slot));
    case 'revoke':
      return before.find((slot) => !after.includes(slot));
  }
}

function described({ id, status, expiresAtMs }: AuthoritySlot): Readonly<Record<string, unknown>> {
  return { authority_id: id, status, expires_at: new Date(expiresAtMs).toISOString() };
}
