import type { Fields } from '../api/fields.ts';
import type { Route } from '../api/route.ts';
import { notFound } from '../fault.ts';

/** The paths below which an auth method keeps its roles: alike in all of them. */
export function roleRoutes<Role>(
  roles: Map<string, Role>,
  readRole: (fields: Fields, existing: Role | undefined) => Role,
  describeRole: (role: Role) => Record<string, unknown>,
): Route[] {
  return [
    {
      path: 'role/:name',
      exists: ({ params }) => roles.has(params.name ?? ''),
      read: ({ params }) => {
        const role = roles.get(params.name ?? '');
        if (role === undefined) throw notFound();
        return { data: describeRole(role) };
      },
      write: ({ params, fields }) => {
        const name = params.name ?? '';
        roles.set(name, readRole(fields, roles.get(name)));
        return {};
      },
      delete: ({ params }) => {
        roles.delete(params.name ?? '');
        return {};
      },
    },
    {
      path: 'role',
      list: () => {
        if (roles.size === 0) throw notFound();
        return { data: { keys: [...roles.keys()].sort() } };
      },
    },
  ];
}
