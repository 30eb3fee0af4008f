import type { Backend } from '../api/route.ts';
import type { Parts } from '../parts.ts';
import { auditRoutes } from './audit-routes.ts';
import { leaseRoutes } from './lease-routes.ts';
import { mountRoutes } from './mount-routes.ts';
import { pluginRoutes } from './plugin-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { statusRoutes } from './status-routes.ts';

/** `sys/`. */
export function systemBackend(parts: Parts): Backend {
  return {
    routes: [
      ...statusRoutes(parts),
      ...policyRoutes(parts),
      ...pluginRoutes(),
      ...leaseRoutes(parts),
      ...auditRoutes(parts),
      ...mountRoutes(parts),
    ],
    save: () => undefined,
  };
}
