import type { Answer, Backend, Call, Route } from '../../api/route.ts';
import { Fault, invalid, notFound } from '../../fault.ts';
import type { Parts } from '../../parts.ts';
import { roleRoutes } from '../role-routes.ts';
import { logIn } from '../role-tokens.ts';
import { describeJwtConfig, type JwtConfig, keysOf, readJwtConfig } from './jwt-config.ts';
import { describeJwtRole, type JwtRole, readJwtRole } from './jwt-role.ts';
import { verifyLogin } from './jwt-verification.ts';

interface Saved {
  readonly config: JwtConfig | null;
  readonly roles: Record<string, JwtRole>;
}

/** `auth/jwt/`: a login with a signed token, whose signature and claims are checked. */
export function jwtBackend(parts: Parts, saved: unknown): Backend {
  const state = (saved ?? { config: null, roles: {} }) as Saved;
  let config = state.config;
  const roles = new Map(Object.entries(state.roles));

  const logInWith = async (call: Call): Promise<Answer> => {
    const name = call.fields.text('role') ?? config?.defaultRole ?? '';
    if (name === '') throw invalid('missing role');
    const role = roles.get(name);
    if (role === undefined) throw invalid(`role "${name}" could not be found`);
    const text = call.fields.text('jwt') ?? '';
    if (text === '') throw invalid('missing token');
    if (config === null) throw new Fault('internal', 'could not load configuration');
    const keys = await keysOf(config, parts.spiffeKeys).catch((cause: unknown) => {
      if (cause instanceof Fault) throw cause;
      throw new Fault('internal', 'error fetching keys', { cause });
    });
    const claims = verifyLogin(text, { config, role, keys, nowMs: parts.clock.now() });
    const alias = claims[role.userClaim];
    if (typeof alias !== 'string' || alias === '') throw invalid(`claim "${role.userClaim}" not found in token`);
    const meta: Record<string, string> = { role: name };
    for (const [claim, key] of Object.entries(role.claimMappings)) {
      const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
      if (typeof value === 'string') meta[key] = value;
    }
    return logIn(parts, call, role.tokens, { alias, displayName: `jwt-${alias}`, meta });
  };

  const routes: Route[] = [
    { path: 'login', open: true, write: logInWith },
    {
      path: 'config',
      read: () => {
        if (config === null) throw notFound();
        return { data: describeJwtConfig(config) };
      },
      write: async ({ fields }) => {
        config = await readJwtConfig(fields);
        return {};
      },
    },
    ...roleRoutes(roles, readJwtRole, describeJwtRole),
  ];
  return { routes, save: (): Saved => ({ config, roles: Object.fromEntries(roles) }) };
}
