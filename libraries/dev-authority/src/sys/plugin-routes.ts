import type { Route } from '../api/route.ts';
import { notFound } from '../fault.ts';

const CATALOG: Readonly<Record<string, readonly string[]>> = {
  auth: ['jwt', 'kubernetes'],
  database: ['postgresql-database-plugin'],
  secret: ['kv', 'pki'],
};

/** `sys/plugins/catalog`: what there is, so that a program that sets things up need not try. */
export function pluginRoutes(): Route[] {
  const keys: Route['read'] = ({ params }) => {
    const found = CATALOG[params.type ?? ''];
    if (found === undefined) throw notFound();
    return { data: { keys: found }, flat: true };
  };
  return [
    { path: 'plugins/catalog', sudo: true, read: () => ({ data: CATALOG, flat: true }) },
    { path: 'plugins/catalog/:type', sudo: true, read: keys, list: keys },
  ];
}
