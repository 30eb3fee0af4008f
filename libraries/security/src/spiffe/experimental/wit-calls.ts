import type { SpiffeId } from '../spiffe-id.ts';
import type { CallControl, StreamCall, WatchControl, WorkloadApiClient } from '../workload-api/client.ts';
import type { WITBundlesResponse, WITSVIDResponse } from '../workload-api/gen/spiffe/workload.ts';
import { counted, discarded, firstOfEachHint, readBundles, whole } from '../workload-api/responses.ts';
import type { WatchHandler } from '../workload-api/watch.ts';
import { parseWitBundle, type WitBundle } from './wit-bundle.ts';
import { parseWitSvid, type WitSvid } from './wit-svid.ts';

export interface WitRequest {
  /** Default: every identity of the workload. */
  readonly subject?: SpiffeId | string;
}

type WitSvids = readonly [WitSvid, ...WitSvid[]];
type WitBundles = ReadonlyMap<string, WitBundle>;

/**
 * The workload's WIT-SVIDs, the default one first.
 * @throws SpiffeError `WORKLOAD_API_UNIMPLEMENTED` when the agent does not serve the profile
 */
export function fetchWitSvids(client: WorkloadApiClient, request: WitRequest & CallControl = {}): Promise<WitSvids> {
  return client.fetchFirst(witSvidCall(request), request);
}

/** Follows them until aborted; rejects with `WORKLOAD_API_UNIMPLEMENTED` without trying again (W-17). */
export function watchWitSvids(
  client: WorkloadApiClient,
  handler: WatchHandler<WitSvids>,
  request: WitRequest & WatchControl,
): Promise<void> {
  return client.watch(witSvidCall(request), handler, request);
}

/** By trust domain name, the own one and the federated ones. */
export function fetchWitBundles(client: WorkloadApiClient, options: CallControl = {}): Promise<WitBundles> {
  return client.fetchFirst(WIT_BUNDLES, options);
}

export function watchWitBundles(
  client: WorkloadApiClient,
  handler: WatchHandler<WitBundles>,
  options: WatchControl,
): Promise<void> {
  return client.watch(WIT_BUNDLES, handler, options);
}

function witSvidCall({ subject }: WitRequest): StreamCall<WITSVIDResponse, WitSvids> {
  return {
    name: 'FetchWITSVID',
    open: (stub, metadata) => stub.fetchWitsvid({ spiffeId: subject?.toString() ?? '' }, metadata),
    parse: readWitSvids,
  };
}

const WIT_BUNDLES: StreamCall<WITBundlesResponse, WitBundles> = {
  name: 'FetchWITBundles',
  open: (stub, metadata) => stub.fetchWitBundles({}, metadata),
  parse: (response) =>
    whole(() => {
      const bundles = readBundles(response.bundles, parseWitBundle);
      if (bundles.size === 0) throw discarded('holds no bundle');
      return bundles;
    }),
};

function readWitSvids(response: WITSVIDResponse): WitSvids {
  return whole(() => {
    const svids = counted(response.svids).map(({ spiffeId, witSvid, witSvidKey, hint }) => {
      const svid = parseWitSvid(witSvid, witSvidKey, { hint });
      if (svid.id.toString() !== spiffeId) throw discarded('names another SPIFFE ID than its token');
      return svid;
    });
    return firstOfEachHint(svids);
  });
}
