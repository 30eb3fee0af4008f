import { SpiffeError } from '../spiffe-error.ts';

export interface PickByHintOptions {
  /** What becomes of a message in which no SVID has the hint: it is refused, or its first SVID is taken. Default `fail`. */
  readonly whenMissing?: 'fail' | 'first';
}

/** Chooses the SVID that the operator meant for this use, for `X509SourceOptions.pick`. @throws SpiffeError `SVID_NOT_PICKED` */
export function pickByHint(
  hint: string,
  { whenMissing = 'fail' }: PickByHintOptions = {},
): <Svid extends { readonly hint?: string }>(svids: readonly [Svid, ...Svid[]]) => Svid {
  if (hint === '') throw new TypeError('hint must not be empty');
  return (svids) => {
    const found = svids.find((svid) => svid.hint === hint);
    if (found !== undefined) return found;
    if (whenMissing === 'first') return svids[0];
    const message = `None of the ${svids.length} SVIDs of this workload has the expected hint: check its registration`;
    throw new SpiffeError('SVID_NOT_PICKED', message, { retryable: true });
  };
}
