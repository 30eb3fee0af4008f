import type { NeededAbility } from '../domain/index.ts';

export type AdmissionAnswer =
  | { readonly kind: 'able'; readonly warning: string | null }
  /** Somebody was asked and nobody alive can do it. */
  | { readonly kind: 'unable'; readonly reason: string };

/** Knows who is able and alive. Asked once a plan, before its first ticket. */
export interface Admission {
  check(needs: readonly NeededAbility[], options: { signal: AbortSignal }): Promise<AdmissionAnswer>;
}
