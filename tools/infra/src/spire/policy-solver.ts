import { BlockList, isIPv6 } from 'node:net';
import { at, listAt, type Manifest, type Manifests } from '../manifests.ts';

/** A pod, or with an address only something that is no pod: a node, a database, the internet. */
export interface Endpoint {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly address?: string;
}

export interface Port {
  readonly port: number;
  /** Default TCP. */
  readonly protocol?: 'TCP' | 'UDP';
}

type Direction = 'Ingress' | 'Egress';

/** Whether the rendered NetworkPolicies let a connection through: out of the one and into the other. */
export function isAllowed(manifests: Manifests, from: Endpoint, to: Endpoint, port: Port): boolean {
  const policies = manifests.of('NetworkPolicy');
  return passes(policies, 'Egress', from, to, port) && passes(policies, 'Ingress', to, from, port);
}

/** A pod that no policy of the direction selects is open; one that some select needs a rule of one of them. */
function passes(
  policies: readonly Manifest[],
  direction: Direction,
  self: Endpoint,
  peer: Endpoint,
  port: Port,
): boolean {
  if (self.labels === undefined) return true;
  const selecting = policies.filter(
    (policy) =>
      policy.metadata.namespace === self.namespace &&
      listAt(policy, 'spec.policyTypes').includes(direction) &&
      matches(at(policy, 'spec.podSelector'), self.labels ?? {}),
  );
  if (selecting.length === 0) return true;
  const [rules, peers] = direction === 'Egress' ? (['egress', 'to'] as const) : (['ingress', 'from'] as const);
  return selecting.some((policy) =>
    listAt(policy, `spec.${rules}`).some((rule) => {
      const ports = listAt(rule, 'ports');
      const given = listAt(rule, peers);
      return (
        (ports.length === 0 || ports.some((one) => isPort(one, port))) &&
        // No list of peers means everybody; an empty one is the same to Kubernetes.
        (given.length === 0 || given.some((one) => isPeer(one, peer, policy.metadata.namespace)))
      );
    }),
  );
}

function isPort(rule: unknown, { port, protocol = 'TCP' }: Port): boolean {
  return (at(rule, 'protocol') ?? 'TCP') === protocol && at(rule, 'port') === port;
}

function isPeer(rule: unknown, peer: Endpoint, policyNamespace: string | undefined): boolean {
  const block = at(rule, 'ipBlock.cidr');
  if (block !== undefined) return peer.address !== undefined && isWithin(peer.address, String(block));
  if (peer.labels === undefined || peer.namespace === undefined) return false;
  const namespaces = at(rule, 'namespaceSelector');
  const inNamespace =
    namespaces === undefined
      ? peer.namespace === policyNamespace
      : matches(namespaces, { 'kubernetes.io/metadata.name': peer.namespace });
  const pods = at(rule, 'podSelector');
  return inNamespace && (pods === undefined || matches(pods, peer.labels));
}

/** An empty selector matches everything. Only `matchLabels` is understood; the charts use nothing else. */
function matches(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  if (at(selector, 'matchExpressions') !== undefined) throw new RangeError('matchExpressions is not understood');
  const wanted = Object.entries((at(selector, 'matchLabels') ?? {}) as Record<string, string>);
  return wanted.every(([key, value]) => labels[key] === value);
}

function isWithin(address: string, cidr: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/');
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
