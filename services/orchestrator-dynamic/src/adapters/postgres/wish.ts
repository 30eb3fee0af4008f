import type { PlanEvent } from '../../domain/index.ts';
import type { Wish } from '../../ports/plan-engine.ts';

export function wishEvent(wish: Wish, atMs: number): PlanEvent {
  const { by, text } = wish;
  switch (wish.action) {
    case 'approve':
      return { type: 'approved', atMs, by, comment: text };
    case 'reject':
      return { type: 'rejected', atMs, by, comment: text };
    case 'cancel':
      return { type: 'cancel', atMs, by, reason: text };
    case 'pause':
    case 'resume':
      return { type: wish.action, atMs, by };
  }
}

/** A verdict and a cancellation happen once; pausing may come again. */
export function wishEventId({ action }: Wish, seq: number): string {
  if (action === 'approve' || action === 'reject') return 'verdict';
  return action === 'cancel' ? 'cancel' : `${action}:${seq}`;
}
