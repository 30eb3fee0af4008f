import { isRecord } from '../../api/fields.ts';
import type { Answer, Backend, Call, Route } from '../../api/route.ts';
import { Fault, invalid, notFound } from '../../fault.ts';
import type { Parts } from '../../parts.ts';
import { roleRoutes } from '../role-routes.ts';
import { logIn } from '../role-tokens.ts';
import { decodeSignedToken } from '../signed-token.ts';
import { describeKubernetesConfig, type KubernetesConfig, readKubernetesConfig } from './kubernetes-config.ts';
import { allows, describeKubernetesRole, type KubernetesRole, readKubernetesRole } from './kubernetes-role.ts';
import { reviewToken, unauthorized } from './token-reviewer.ts';

interface Saved {
  readonly config: KubernetesConfig | null;
  readonly roles: Record<string, KubernetesRole>;
}

/** `auth/kubernetes/`: a login with a service-account token that the cluster vouches for. */
export function kubernetesBackend(parts: Parts, saved: unknown): Backend {
  const state = (saved ?? { config: null, roles: {} }) as Saved;
  let config = state.config;
  const roles = new Map(Object.entries(state.roles));

  const logInWith = async (call: Call): Promise<Answer> => {
    const roleName = call.fields.text('role') ?? '';
    if (roleName === '') throw invalid('missing role');
    const jwt = call.fields.text('jwt') ?? '';
    if (jwt === '') throw invalid('missing jwt');
    const role = roles.get(roleName);
    if (role === undefined) throw invalid(`invalid role name "${roleName}"`);
    if (config === null) throw new Fault('internal', 'could not load backend configuration');
    const claimed = claimedAccount(jwt);
    if (!allows(role.names, claimed.name)) throw new Fault('permission_denied', 'service account name not authorized');
    if (!allows(role.namespaces, claimed.namespace)) throw new Fault('permission_denied', 'namespace not authorized');
    const account = await reviewToken(config, jwt, role.audience);
    if (account.name !== claimed.name || account.namespace !== claimed.namespace || account.uid !== claimed.uid)
      throw unauthorized();
    return logIn(parts, call, role.tokens, {
      alias: role.aliasSource === 'serviceaccount_uid' ? account.uid : `${account.namespace}/${account.name}`,
      displayName: `kubernetes-${account.namespace}-${account.name}`,
      meta: {
        role: roleName,
        service_account_name: account.name,
        service_account_namespace: account.namespace,
        service_account_secret_name: '',
        service_account_uid: account.uid,
      },
    });
  };

  const routes: Route[] = [
    { path: 'login', open: true, write: logInWith },
    {
      path: 'config',
      read: () => {
        if (config === null) throw notFound();
        return { data: describeKubernetesConfig(config) };
      },
      write: ({ fields }) => {
        config = readKubernetesConfig(fields);
        return {};
      },
    },
    ...roleRoutes(roles, readKubernetesRole, describeKubernetesRole),
  ];
  return { routes, save: (): Saved => ({ config, roles: Object.fromEntries(roles) }) };
}

/** What the token says of itself. It saves the cluster a question; nothing is granted on its word. */
function claimedAccount(jwt: string): { namespace: string; name: string; uid: string } {
  let claims: Readonly<Record<string, unknown>>;
  try {
    ({ claims } = decodeSignedToken(jwt));
  } catch {
    throw invalid('malformed jwt: must have 3 parts and be JSON');
  }
  const kubernetes = claims['kubernetes.io'];
  const account = isRecord(kubernetes) ? kubernetes.serviceaccount : undefined;
  if (!isRecord(kubernetes) || !isRecord(account)) throw unauthorized();
  const { namespace } = kubernetes;
  const { name, uid } = account;
  if (typeof namespace !== 'string' || typeof name !== 'string' || typeof uid !== 'string') throw unauthorized();
  return { namespace, name, uid };
}
