import type { KubernetesApi } from '@neural-hive/real-stack';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';

/** One question to the API server's authorizer about a service account of the chart. */
export interface Right {
  readonly account: 'server' | 'agent' | 'entries' | 'oidc' | 'csi-driver';
  readonly verb: string;
  /** `pods`, `pods/exec`, `tokenreviews.authentication.k8s.io`. */
  readonly resource: string;
  /** Default: the whole cluster. */
  readonly namespace?: string;
  readonly name?: string;
  readonly allowed: boolean;
}

const system = { namespace: AGENT_NAMESPACE } as const;
const spire = { namespace: NAMESPACE } as const;

/** Who may do what, for ever: a change of the chart's rights changes this table. */
export const RIGHTS: readonly Right[] = [
  { account: 'server', verb: 'create', resource: 'tokenreviews.authentication.k8s.io', allowed: true },
  { account: 'server', verb: 'get', resource: 'pods', ...system, name: 'spire-agent-x', allowed: true },
  { account: 'server', verb: 'get', resource: 'nodes', name: 'node-1', allowed: true },
  { account: 'server', verb: 'list', resource: 'pods', allowed: false },
  { account: 'server', verb: 'get', resource: 'secrets', ...spire, allowed: false },
  { account: 'server', verb: 'get', resource: 'configmaps', ...system, name: 'spire-bundle', allowed: true },
  { account: 'server', verb: 'patch', resource: 'configmaps', ...system, name: 'spire-bundle', allowed: true },
  { account: 'server', verb: 'patch', resource: 'configmaps', ...system, name: 'spire-agent', allowed: false },
  { account: 'server', verb: 'patch', resource: 'configmaps', ...spire, name: 'spire-server', allowed: false },
  { account: 'server', verb: 'create', resource: 'pods/exec', ...spire, name: 'spire-server-0', allowed: false },
  { account: 'agent', verb: 'get', resource: 'pods', allowed: true },
  { account: 'agent', verb: 'get', resource: 'nodes/proxy', name: 'node-1', allowed: true },
  { account: 'agent', verb: 'create', resource: 'nodes/proxy', name: 'node-1', allowed: false },
  { account: 'agent', verb: 'create', resource: 'tokenreviews.authentication.k8s.io', allowed: false },
  { account: 'agent', verb: 'get', resource: 'secrets', ...system, allowed: false },
  { account: 'agent', verb: 'patch', resource: 'configmaps', ...system, name: 'spire-bundle', allowed: false },
  { account: 'entries', verb: 'create', resource: 'pods/exec', ...spire, name: 'spire-server-0', allowed: true },
  { account: 'entries', verb: 'get', resource: 'pods/exec', ...spire, name: 'spire-server-0', allowed: true },
  { account: 'entries', verb: 'watch', resource: 'pods', ...spire, name: 'spire-server-0', allowed: true },
  { account: 'entries', verb: 'create', resource: 'pods/exec', ...spire, name: 'spire-server-1', allowed: false },
  { account: 'entries', verb: 'create', resource: 'pods/exec', ...system, name: 'spire-agent-x', allowed: false },
  { account: 'entries', verb: 'get', resource: 'secrets', ...spire, allowed: false },
  { account: 'oidc', verb: 'get', resource: 'configmaps', ...spire, allowed: false },
  { account: 'csi-driver', verb: 'get', resource: 'pods', ...system, allowed: false },
];

export const described = ({ account, verb, resource, namespace = '*', name = '*', allowed }: Right): string =>
  `spire-${account} may ${allowed ? '' : 'not '}${verb} ${resource} ${namespace}/${name}`;

/** What the authorizer says. */
export async function mayIt(api: KubernetesApi, right: Right): Promise<boolean> {
  const { account, verb, resource, namespace = '', name = '' } = right;
  const home = ['agent', 'csi-driver'].includes(account) ? AGENT_NAMESPACE : NAMESPACE;
  const [path = '', ...group] = resource.split('.');
  const [plural = '', subresource = ''] = path.split('/');
  const { json } = await api.call('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${home}:spire-${account}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${home}`, 'system:authenticated'],
        resourceAttributes: { verb, group: group.join('.'), resource: plural, subresource, namespace, name },
      },
    },
  });
  return (json as { status: { allowed: boolean } }).status.allowed;
}
