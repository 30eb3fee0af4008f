import { BlockList, isIPv6 } from 'node:net';
import { at, listAt, type Manifest } from '../manifests.ts';
import { type Labels, selects } from './selector.ts';

/** A pod with an address of its own. */
export interface Pod {
  readonly namespace: string;
  readonly labels: Labels;
}

/**
 * An address that is no pod's: the API server, a node, a service of AWS, and every pod on the host's network, which no
 * label matches and no policy holds.
 */
export interface Address {
  readonly ip: string;
}

export type Place = Pod | Address;

export interface Connection {
  readonly from: Place;
  readonly to: Place;
  readonly port: number;
  /** Default TCP. */
  readonly protocol?: 'TCP' | 'UDP';
}

type Direction = 'ingress' | 'egress';

const isPod = (place: Place): place is Pod => 'namespace' in place;

/**
 * What the network policies of a cluster allow, by the rules of networking.k8s.io/v1: a pod that no policy selects in a
 * direction is open in it; otherwise a rule of one of them has to take the other side and the port. An ipBlock takes
 * addresses and no pods, since networks differ in what they make of pods there. Kubelets reach the pods of their node
 * whatever a policy says.
 */
export class Network {
  readonly #policies: readonly Manifest[];
  readonly #namespaces: Readonly<Record<string, Labels>>;

  /** Namespaces that are not given have the one label that every namespace has. */
  constructor(policies: readonly Manifest[], namespaces: Readonly<Record<string, Labels>> = {}) {
    this.#policies = policies.filter(({ kind }) => kind === 'NetworkPolicy');
    this.#namespaces = namespaces;
  }

  allows(connection: Connection): boolean {
    const { from, to } = connection;
    return this.#side('egress', from, to, connection) && this.#side('ingress', to, from, connection);
  }

  #side(direction: Direction, held: Place, other: Place, connection: Connection): boolean {
    if (!isPod(held)) return true;
    const policies = this.#policies.filter(
      (policy) =>
        (policy.metadata.namespace ?? 'default') === held.namespace &&
        directionsOf(policy).includes(direction) &&
        selects(at(policy, 'spec.podSelector'), held.labels),
    );
    if (policies.length === 0) return true;
    return policies
      .flatMap((policy) => listAt(policy, `spec.${direction}`).map((rule) => ({ policy, rule })))
      .some(({ policy, rule }) => {
        const peers = at(rule, direction === 'ingress' ? 'from' : 'to');
        const takesPeer =
          !Array.isArray(peers) || peers.length === 0 || peers.some((peer) => this.#takes(peer, other, policy));
        return takesPeer && takesPort(at(rule, 'ports'), connection);
      });
  }

  #takes(peer: unknown, place: Place, policy: Manifest): boolean {
    const block = at(peer, 'ipBlock');
    if (!isPod(place)) return block !== undefined && isInBlock(block, place.ip);
    if (block !== undefined) return false;
    const namespaceSelector = at(peer, 'namespaceSelector');
    const namespaceFits =
      namespaceSelector === undefined
        ? place.namespace === (policy.metadata.namespace ?? 'default')
        : selects(namespaceSelector, this.#labelsOf(place.namespace));
    return namespaceFits && selects(at(peer, 'podSelector'), place.labels);
  }

  #labelsOf(namespace: string): Labels {
    return { 'kubernetes.io/metadata.name': namespace, ...this.#namespaces[namespace] };
  }
}

/** Without policyTypes a policy with no egress rule leaves egress open, which is why charts should say them. */
function directionsOf(policy: Manifest): readonly Direction[] {
  const types = at(policy, 'spec.policyTypes');
  if (!Array.isArray(types)) return at(policy, 'spec.egress') === undefined ? ['ingress'] : ['ingress', 'egress'];
  return types.map((type) => String(type).toLowerCase() as Direction);
}

function takesPort(ports: unknown, { port, protocol = 'TCP' }: Connection): boolean {
  if (!Array.isArray(ports) || ports.length === 0) return true;
  return ports.some((entry) => {
    if ((at(entry, 'protocol') ?? 'TCP') !== protocol) return false;
    const first = at(entry, 'port');
    if (first === undefined) return true;
    // A name would have to be looked up in the pod it selects; the charts write numbers.
    if (typeof first !== 'number') throw new RangeError(`a port is named ${String(first)}: write its number`);
    return port >= first && port <= Number(at(entry, 'endPort') ?? first);
  });
}

function isInBlock(block: unknown, ip: string): boolean {
  const inside = (cidr: unknown): boolean => {
    const [network = '', prefix = ''] = String(cidr).split('/');
    const family = isIPv6(network) ? 'ipv6' : 'ipv4';
    const list = new BlockList();
    list.addSubnet(network, Number(prefix), family);
    return isIPv6(ip) === (family === 'ipv6') && list.check(ip, family);
  };
  return inside(at(block, 'cidr')) && !listAt(block, 'except').some(inside);
}
