import type { Rendering } from '../renderings.ts';
import { development, merged, production } from './installation.ts';
import { ALL_FEATURES, DIGESTS, OPEN_BAO } from './variants.ts';

/** The Vault chart as each profile and each variant renders it. */
export function vaultRenderings(root: string): readonly Rendering[] {
  return [
    { name: 'vault, production', options: production(root) },
    { name: 'vault, development', options: development(root) },
    { name: 'vault, OpenBao with every feature', options: production(root, merged(OPEN_BAO, ALL_FEATURES)) },
    {
      name: 'vault, auto TLS and digests',
      options: production(root, merged(DIGESTS, { injector: { tls: { mode: 'auto' } } })),
    },
  ];
}
