import type { Backend } from '../api/route.ts';
import { invalid } from '../fault.ts';
import type { ServiceAccountIssuer } from '../service-accounts/service-account-issuer.ts';
import type { AuthorityCommands } from '../spiffe/authority-commands.ts';
import { authorityRoutes } from './authority-routes.ts';
import { onlyRoot } from './only-root.ts';

export const CONTROL_MOUNT = 'sys/dev/';

export interface ControlTargets {
  readonly serviceAccounts: ServiceAccountIssuer;
  readonly spiffeKeys: () => Uint8Array;
  readonly spiffeBundlePem: () => string;
  /** Rotates one identity or all; answers with how many. */
  readonly rotateX509: (spiffeId?: string) => number;
  readonly authorities: AuthorityCommands;
}

/**
 * `sys/dev/`: what only this authority has, kept apart from Vault's API. Everything but the public keys needs a root
 * token, or comes over the control socket, whose caller is the supervisor.
 */
export function controlBackend(targets: ControlTargets): Backend {
  return {
    routes: [
      ...authorityRoutes(targets.authorities),
      {
        path: 'rotate-x509',
        write: onlyRoot(({ fields }) => {
          const spiffeId = fields.text('spiffe_id');
          return { data: { rotated: targets.rotateX509(spiffeId) }, changed: false };
        }),
      },
      {
        path: 'service-account-token',
        write: onlyRoot(({ fields }) => {
          const namespace = fields.text('namespace') ?? '';
          const name = fields.text('name') ?? '';
          if (![namespace, name].every((part) => /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(part))) {
            throw invalid('"namespace" and "name" must be names as Kubernetes has them');
          }
          const audiences = fields.list('audiences') ?? [];
          if (audiences.length === 0) throw invalid('"audiences" must be supplied');
          const ttlSeconds = fields.seconds('ttl') ?? 3600;
          return { data: { token: targets.serviceAccounts.issue({ namespace, name }, { audiences, ttlSeconds }) } };
        }),
      },
      {
        // Public certificates, for whoever verifies X509-SVIDs.
        path: 'spiffe-bundle',
        open: true,
        read: () => ({ raw: { contentType: 'application/pem-certificate-chain', body: targets.spiffeBundlePem() } }),
      },
      {
        // Public keys, for a `jwks_url`.
        path: 'spiffe-jwks',
        open: true,
        read: () => ({ raw: { contentType: 'application/json', body: Buffer.from(targets.spiffeKeys()) } }),
      },
    ],
    save: () => undefined,
  };
}
