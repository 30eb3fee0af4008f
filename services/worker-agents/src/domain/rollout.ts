/** What of a Deployment says how far its rollout is. */
export interface RolloutFacts {
  readonly generation: number;
  readonly observedGeneration: number;
  readonly wanted: number;
  readonly replicas: number;
  readonly updated: number;
  readonly available: number;
  /** The reason of the condition `Progressing`. */
  readonly progressing: string | undefined;
}

export type Rollout =
  | { readonly state: 'done' }
  | { readonly state: 'waiting'; readonly why: string }
  | { readonly state: 'failed'; readonly why: string };

/** How a rollout stands, by the rules of `kubectl rollout status`. */
export function rolloutOf(facts: RolloutFacts): Rollout {
  const { generation, observedGeneration, wanted, replicas, updated, available } = facts;
  if (observedGeneration < generation) return { state: 'waiting', why: 'the change has not been seen yet' };
  if (facts.progressing === 'ProgressDeadlineExceeded') {
    return { state: 'failed', why: `${available} of ${wanted} replicas came up within the progress deadline` };
  }
  if (updated < wanted) return { state: 'waiting', why: `${updated} of ${wanted} replicas are updated` };
  if (replicas > updated) return { state: 'waiting', why: `${replicas - updated} old replicas are still there` };
  if (available < updated) return { state: 'waiting', why: `${available} of ${updated} replicas are available` };
  return { state: 'done' };
}
