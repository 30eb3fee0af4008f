import type { Route } from '../api/route.ts';
import { notFound } from '../fault.ts';
import { AUTHORITY_STEPS, type AuthorityCommands } from '../spiffe/authority-commands.ts';
import type { AuthorityKind } from '../spiffe/authority-slot.ts';
import { onlyRoot } from './only-root.ts';

const KINDS: readonly AuthorityKind[] = ['x509', 'jwt'];

/** `spiffe-authorities`: the trust domain's authorities, shown and replaced by hand. */
export function authorityRoutes(commands: AuthorityCommands): readonly Route[] {
  return [
    { path: 'spiffe-authorities', read: onlyRoot(() => ({ data: commands.show() })) },
    {
      path: 'spiffe-authorities/:kind/:step',
      write: onlyRoot(async ({ params, fields }) => {
        const kind = KINDS.find((each) => each === params.kind);
        const step = AUTHORITY_STEPS.find((each) => each === params.step);
        if (kind === undefined || step === undefined) throw notFound();
        // Durable already: the command waits for it before anybody is told.
        return { data: await commands.run(kind, step, fields.text('authority_id')), changed: false };
      }),
    },
  ];
}
