import type { Call, Route } from '../api/route.ts';
import { invalid, notFound } from '../fault.ts';
import type { Parts } from '../parts.ts';

/** `sys/policies/acl` and its older name `sys/policy`. */
export function policyRoutes({ policies }: Parts): Route[] {
  const nameOf = (call: Call): string => (call.params.name ?? '').toLowerCase();
  const write = (call: Call): Record<string, never> => {
    const given = call.fields.text('policy') ?? call.fields.text('rules');
    if (given === undefined || given === '') throw invalid("'policy' parameter not supplied or empty");
    policies.write(nameOf(call), textOf(given));
    return {};
  };
  const remove = (call: Call): Record<string, never> => {
    policies.delete(nameOf(call));
    return {};
  };
  const read = (call: Call, key: 'policy' | 'rules'): { data: Record<string, unknown>; flat: boolean } => {
    const found = policies.read(nameOf(call));
    if (found === undefined) throw notFound();
    return {
      data: {
        name: nameOf(call),
        [key]: found.text,
        modified: new Date(found.modifiedMs).toISOString(),
        version: found.version,
        cas_required: false,
      },
      flat: key === 'rules',
    };
  };
  const keys = (): { data: { keys: string[] } } => ({ data: { keys: policies.names() } });
  return [
    { path: 'policies/acl', list: keys },
    { path: 'policies/acl/:name', read: (call) => read(call, 'policy'), write, delete: remove },
    {
      path: 'policy',
      read: () => ({ data: { keys: policies.names(), policies: policies.names() }, flat: true }),
      list: keys,
    },
    { path: 'policy/:name', read: (call) => read(call, 'rules'), write, delete: remove },
    {
      path: 'capabilities-self',
      write: (call) => {
        const paths = call.fields.list('paths') ?? call.fields.list('path') ?? [];
        if (paths.length === 0) throw invalid('paths must be supplied');
        const entries = paths.map((path): [string, string[]] => [
          path,
          call.acl.capabilities(path.replace(/^\/+/, '')),
        ]);
        const single = paths.length === 1 ? { capabilities: entries[0]?.[1] } : {};
        return { data: { ...Object.fromEntries(entries), ...single }, flat: true, changed: false };
      },
    },
  ];
}

/** Old clients send the text in base64. */
function textOf(given: string): string {
  if (/^[A-Za-z0-9+/\s]+={0,2}$/.test(given) && !given.includes('{')) {
    const decoded = Buffer.from(given, 'base64').toString('utf8');
    if (decoded.includes('path')) return decoded;
  }
  return given;
}
