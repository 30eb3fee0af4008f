import type { Answer, Backend, Call, Route } from '../../api/route.ts';
import { Fault, invalid } from '../../fault.ts';
import type { Parts } from '../../parts.ts';
import { describeToken } from './token-answers.ts';
import { createChild, requireToken } from './token-creation.ts';
import type { Token } from './token-store.ts';

const INVALID_ACCESSOR = ['1 error occurred:\n\t* invalid accessor\n\n'];

/** `auth/token/`. */
export function tokenBackend(parts: Parts): Backend {
  const { tokens, clock } = parts;

  const create = (call: Call, orphan: boolean): Answer => {
    const { token, warnings } = createChild(parts, call, requireToken(call), orphan);
    return { auth: { token, leaseSeconds: token.ttlSeconds }, warnings };
  };
  const lookup = (token: Token | undefined, hideId = false): Answer => {
    if (token === undefined) throw new Fault('permission_denied', 'bad token');
    return { data: describeToken(token, clock.now(), { hideId }), changed: false };
  };
  const renew = (token: Token, call: Call): Answer => {
    const { ttlSeconds, warnings } = tokens.renew(token, call.fields.seconds('increment'));
    return { auth: { token, leaseSeconds: ttlSeconds }, warnings };
  };
  const named = (call: Call): Token | undefined => {
    const id = call.fields.text('token');
    if (id === undefined || id === '') throw invalid('missing token ID');
    return tokens.find(id);
  };
  const byAccessor = (call: Call): Token => {
    const token = tokens.findByAccessor(call.fields.text('accessor') ?? '');
    if (token === undefined) throw new Fault('invalid_request', 'invalid accessor', { errors: INVALID_ACCESSOR });
    return token;
  };

  const routes: Route[] = [
    { path: 'create', write: (call) => create(call, false) },
    { path: 'create-orphan', sudo: true, write: (call) => create(call, true) },
    {
      path: 'lookup-self',
      read: (call) => lookup(requireToken(call)),
      write: (call) => lookup(requireToken(call)),
    },
    { path: 'lookup', read: (call) => lookup(requireToken(call)), write: (call) => lookup(named(call)) },
    { path: 'lookup-accessor', write: (call) => lookup(byAccessor(call), true) },
    { path: 'renew-self', write: (call) => renew(requireToken(call), call) },
    {
      path: 'renew',
      write: (call) => {
        const token = named(call);
        if (token === undefined) throw invalid('token not found');
        return renew(token, call);
      },
    },
    { path: 'renew-accessor', write: (call) => renew(byAccessor(call), call) },
    {
      path: 'revoke-self',
      write: async (call) => {
        await tokens.revoke(requireToken(call));
        return {};
      },
    },
    {
      path: 'revoke',
      write: async (call) => {
        const token = named(call);
        if (token !== undefined) await tokens.revoke(token);
        return {};
      },
    },
    {
      path: 'revoke-accessor',
      write: async (call) => {
        const accessor = call.fields.text('accessor');
        if (accessor === undefined || accessor === '') throw invalid('missing accessor');
        const token = tokens.findByAccessor(accessor);
        if (token === undefined) return { warnings: ['No token found with this accessor'] };
        await tokens.revoke(token);
        return {};
      },
    },
    {
      path: 'revoke-orphan',
      sudo: true,
      write: async (call) => {
        const token = named(call);
        if (token === undefined) throw invalid('token to revoke not found');
        await tokens.revokeOrphaning(token);
        return {};
      },
    },
    {
      path: 'accessors',
      sudo: true,
      list: () => ({ data: { keys: [...tokens.all()].map((token) => token.accessor) } }),
    },
  ];
  return { routes, save: () => undefined };
}
