import { encodeSpiffeBundle, type SpiffeBundle } from '@neural-hive/security/spiffe';
import type { Backend } from '../api/route.ts';

/** Where other trust domains fetch the bundle, apart from Vault's paths. */
export const BUNDLE_MOUNT = '/bundle/';

/** A bundle endpoint of the profile `https_web` (Federation, 5.1.1): it asks nobody who they are. */
export function bundleEndpointBackend(bundle: () => SpiffeBundle): Backend {
  const read = () => ({ raw: { contentType: 'application/json', body: encodeSpiffeBundle(bundle()) } });
  return { routes: [{ path: '', open: true, read }], save: () => undefined };
}
