/**
 * The life of one held ticket: it runs, then its result is published, or it is given up. What may follow what is
 * written here once, so that a late event cannot publish a result of a ticket that was handed back.
 */
export type Hold =
  | { readonly state: 'running' }
  | { readonly state: 'publishing' }
  | { readonly state: 'published' }
  | { readonly state: 'fenced' }
  | { readonly state: 'given_up'; readonly why: GiveUpReason };

/**
 * `lost`: another attempt has it, or nobody can say; `cancelled`: nobody wants it; `drained`: this worker ends and the
 * ticket goes back to the queue.
 */
export type GiveUpReason = 'lost' | 'cancelled' | 'drained';

export type HoldEvent =
  | { readonly type: 'ended' }
  | { readonly type: 'accepted' }
  | { readonly type: 'refused' }
  | { readonly type: 'give_up'; readonly why: GiveUpReason };

/** The same object when the event changes nothing. */
export function advance(hold: Hold, event: HoldEvent): Hold {
  switch (hold.state) {
    case 'running':
      if (event.type === 'ended') return { state: 'publishing' };
      return event.type === 'give_up' ? { state: 'given_up', why: event.why } : hold;
    case 'publishing':
      if (event.type === 'accepted') return { state: 'published' };
      if (event.type === 'refused') return { state: 'fenced' };
      // The work is done: a worker that ends publishes it instead of having it done again.
      return event.type === 'give_up' && event.why !== 'drained' ? { state: 'given_up', why: event.why } : hold;
    default:
      return hold;
  }
}
