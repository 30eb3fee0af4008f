import { deepEqual, equal, ok } from 'node:assert/strict';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { changed, type Mutation, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, reconfigured } from '../../spire/configuration.ts';
import { entryCommands, entryJob, optionsOf } from '../../spire/entry-job.ts';
import { CONTAINER, environmentOf, POD } from '../pods.ts';
import { SERVICE_NAMES, type ServiceName } from '../service-charts.ts';

const contract = (manifests: Manifests, path: string): unknown => manifests.at('Contracts', 'contracts', path);
const inContracts = (path: string, to: unknown): Mutation => changed('Contracts', 'contracts', path, to);

/** The registration entries as SPIRE's Job makes them: SPIFFE ID to selectors. */
function entries(manifests: Manifests): ReadonlyMap<string, readonly string[]> {
  const commands = entryCommands(manifests).filter(([group]) => group === 'entry');
  return new Map(
    commands.map(optionsOf).map(({ one, many }) => [one.get('-spiffeID') ?? '', many.get('-selector') ?? []]),
  );
}

/** Another selector in the Job's arguments. */
function withoutEntry(of: string): Mutation {
  return {
    what: `an entry for another identity than ${of}`,
    apply: (manifests) => {
      const { name } = entryJob(manifests).metadata;
      const rewrite = (spec: unknown): unknown => JSON.parse(JSON.stringify(spec).replaceAll(of, `${of}-other`));
      return changed('Job', name, 'spec', rewrite).apply(manifests);
    },
  };
}

function workloadRules(name: ServiceName): readonly Rule[] {
  const role = `roles.kubernetes.${name}`;
  return [
    {
      id: `agree-identity-${name}`,
      what: 'namespace and service account of the pods, selectors of the entry, and the SPIFFE ID of the code are one',
      assert: (manifests) => {
        const { namespace, serviceAccount, spiffeId } = contract(manifests, `workloads.${name}`) as Record<
          string,
          string
        >;
        const deployment = manifests.get('Deployment', name);
        equal(deployment.metadata.namespace, namespace);
        equal(at(deployment, `${POD}.serviceAccountName`), serviceAccount);
        equal(spiffeId, `spiffe://${contract(manifests, 'trustDomain')}/ns/${namespace}/sa/${serviceAccount}`);
        deepEqual([...(entries(manifests).get(spiffeId ?? '') ?? [])].sort(), [
          ...[`k8s:ns:${namespace}`, `k8s:sa:${serviceAccount}`],
        ]);
      },
      mutations: [
        changed('Deployment', name, 'metadata.namespace', 'default'),
        changed('Deployment', name, `${POD}.serviceAccountName`, 'default'),
        inContracts(`workloads.${name}.serviceAccount`, 'other'),
        withoutEntry(`/sa/${name}`),
        withoutEntry(`k8s:sa:${name}`),
      ],
    },
    {
      id: `agree-login-${name}`,
      what: 'Vault’s roles are bound to that service account and that SPIFFE ID, for the audience of the pods’ tokens',
      assert: (manifests) => {
        const { namespace, serviceAccount, spiffeId } = contract(manifests, `workloads.${name}`) as Record<
          string,
          string
        >;
        const kubernetes = manifests.at('VaultSetup', 'vault-setup', role);
        deepEqual(at(kubernetes, 'bound_service_account_names'), [serviceAccount]);
        deepEqual(at(kubernetes, 'bound_service_account_namespaces'), [namespace]);
        const jwt = manifests.at('VaultSetup', 'vault-setup', `roles.jwt.${name}`);
        equal(at(jwt, 'bound_subject'), spiffeId);
        const audience = contract(manifests, 'audiences.vault');
        equal(at(kubernetes, 'audience'), audience);
        deepEqual(at(jwt, 'bound_audiences'), [audience]);
        const { VAULT_KUBERNETES_ROLE } = environmentOf(manifests.at('Deployment', name, CONTAINER));
        equal(VAULT_KUBERNETES_ROLE, name);
        const token = `${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`;
        equal(manifests.at('Deployment', name, token), audience);
      },
      mutations: [
        changed('VaultSetup', 'vault-setup', `${role}.bound_service_account_namespaces`, ['default']),
        changed('VaultSetup', 'vault-setup', `${role}.audience`, 'other'),
        changed('VaultSetup', 'vault-setup', `roles.jwt.${name}.bound_subject`, 'spiffe://neural-hive.local/operator'),
        inContracts('audiences.vault', 'other'),
      ],
    },
  ];
}

export const IDENTITY_RULES: readonly Rule[] = [
  ...SERVICE_NAMES.flatMap(workloadRules),
  {
    id: 'agree-trust-domain',
    what: 'servers, agents, OIDC provider and services are of one trust domain and one issuer, which the ingress answers for',
    assert: (manifests) => {
      const domain = contract(manifests, 'trustDomain');
      const issuer = contract(manifests, 'issuer');
      equal(at(configuration(manifests, 'spire-server'), 'server.trust_domain'), domain);
      equal(at(configuration(manifests, 'spire-server'), 'server.jwt_issuer'), issuer);
      equal(at(configuration(manifests, 'spire-agent'), 'agent.trust_domain'), domain);
      const environment = environmentOf(manifests.at('Deployment', 'orchestrator-dynamic', CONTAINER));
      equal(environment.SPIFFE_TRUST_DOMAIN, domain);
      equal(environment.SPIFFE_ISSUER, issuer);
      const hosts = manifests.of('Ingress').flatMap((one) => listAt(one, 'spec.rules').map((rule) => at(rule, 'host')));
      ok(hosts.includes(String(issuer).replace('https://', '')), `${hosts}`);
    },
    mutations: [
      reconfigured('spire-server', 'server.trust_domain', 'other.test'),
      reconfigured('spire-server', 'server.jwt_issuer', 'https://other.test'),
      reconfigured('spire-agent', 'agent.trust_domain', 'other.test'),
      inContracts('issuer', 'https://other.test'),
      changed('Deployment', 'orchestrator-dynamic', `${CONTAINER}.env.name=SPIFFE_ISSUER.value`, 'https://other.test'),
    ],
  },
  {
    id: 'agree-socket',
    what: 'the agent listens where the code looks, and pods mount that folder there',
    assert: (manifests) => {
      const socket = String(contract(manifests, 'socket'));
      equal(at(configuration(manifests, 'spire-agent'), 'agent.socket_path'), socket);
      for (const name of SERVICE_NAMES) {
        const container = manifests.at('Deployment', name, CONTAINER);
        equal(environmentOf(container).SPIFFE_ENDPOINT_SOCKET, `unix://${socket}`);
        equal(`${at(container, 'volumeMounts.name=spire-agent-socket.mountPath')}/agent.sock`, socket);
      }
    },
    mutations: [
      reconfigured('spire-agent', 'agent.socket_path', '/run/spire/agent.sock'),
      inContracts('socket', '/tmp/agent.sock'),
      changed(
        'Deployment',
        'worker-agents',
        `${CONTAINER}.volumeMounts.name=spire-agent-socket.mountPath`,
        '/run/spire',
      ),
      without('Deployment', 'service-registry', `${CONTAINER}.env.name=SPIFFE_ENDPOINT_SOCKET`),
    ],
  },
  {
    id: 'agree-csi',
    what: 'the CSI driver that pods name is the one that SPIRE’s chart installs',
    assert: (manifests) => {
      for (const name of SERVICE_NAMES) {
        const driver = manifests.at('Deployment', name, `${POD}.volumes.name=spire-agent-socket.csi.driver`);
        manifests.get('CSIDriver', String(driver));
      }
    },
    mutations: [
      changed('Deployment', 'worker-agents', `${POD}.volumes.name=spire-agent-socket.csi.driver`, 'csi.example.org'),
      changed('CSIDriver', 'csi.spiffe.io', 'metadata.name', 'other'),
    ],
  },
];
