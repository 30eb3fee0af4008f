import type { Route } from '../api/route.ts';
import { invalid } from '../fault.ts';
import type { Parts } from '../parts.ts';

/** One audit device, a file, is always on: it can be looked at and asked, and neither added to nor taken away. */
export function auditRoutes({ audit }: Parts): Route[] {
  return [
    {
      path: 'audit',
      sudo: true,
      read: () => ({
        data: { 'file/': { type: 'file', description: 'always on', options: {}, path: 'file/', local: false } },
        flat: true,
      }),
    },
    {
      path: 'audit/:path',
      sudo: true,
      write: ({ params, fields }) => {
        if (params.path !== 'file' || fields.text('type') !== 'file') {
          throw invalid('the audit device "file" is always on and the only one');
        }
        throw invalid('path already in use');
      },
      delete: () => {
        throw invalid('the audit device cannot be turned off');
      },
    },
    {
      path: 'audit-hash/:path',
      write: ({ fields }) => {
        const input = fields.text('input');
        if (input === undefined) throw invalid("the 'input' parameter is empty");
        return { data: { hash: audit.hmac(input) }, changed: false };
      },
    },
  ];
}
