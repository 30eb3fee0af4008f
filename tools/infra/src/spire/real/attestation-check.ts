import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  freePort,
  installSpire,
  type KubernetesCluster,
  startKubernetes,
  startTlsPostgres,
  type TlsPostgres,
} from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import type { Check, Report } from '../../check.ts';
import { Helm } from '../../helm.ts';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { configurationText } from '../configuration.ts';
import { entryCommands } from '../entry-job.ts';
import { shownEntries, wantedEntries } from '../entry-list.ts';
import { ATTESTATION_METRIC } from '../metrics.ts';
import { AGENT_NAMESPACE, NAMESPACE, rendering } from '../renderings.ts';
import { RealAgent } from './agent.ts';
import { point } from './point.ts';
import { Release } from './release.ts';
import { relocatedServer, type ServerPlace, startOf } from './relocation.ts';
import { described, mayIt, RIGHTS } from './rights.ts';
import { eventually, RealServer } from './server.ts';

const CLUSTER_ROLE = 'spire-spire-server';

/** What the mission document gives the servers: nobody attests with it. */
const MISSION_RULES = [
  { apiGroups: [''], resources: ['pods', 'nodes', 'serviceaccounts'], verbs: ['get', 'list', 'watch'] },
];

interface Stage {
  readonly cluster: KubernetesCluster;
  readonly release: Release;
  readonly manifests: Manifests;
  readonly binaries: string;
  readonly folder: string;
  readonly report: Report;
}

const listOf = async ({ cluster }: Stage, path: string): Promise<readonly unknown[]> =>
  listAt((await cluster.api.call(path)).json, 'items');

const nameOf = (object: unknown): string => String(at(object, 'metadata.name'));

/** The agent's pod that the DaemonSet made for a node. */
async function agentPod(stage: Stage, node: string): Promise<unknown> {
  const pods = await listOf(stage, `/api/v1/namespaces/${AGENT_NAMESPACE}/pods`);
  return pods.find(
    (pod) =>
      nameOf(pod).startsWith('spire-agent-') &&
      at(pod, 'spec.nodeName') === node &&
      at(pod, 'status.phase') === 'Running',
  );
}

async function bundleOf({ cluster }: Stage): Promise<string | undefined> {
  const { json } = await cluster.api.call(`/api/v1/namespaces/${AGENT_NAMESPACE}/configmaps/spire-bundle`);
  const text = at(json, ['data', 'bundle.crt']);
  return typeof text === 'string' ? text : undefined;
}

/** A server in the place of `spire-server-0`, which speaks to the API server as its service account. */
async function makeServer(stage: Stage, database: TlsPostgres): Promise<{ server: RealServer; place: ServerPlace }> {
  const { cluster, manifests, binaries, folder } = stage;
  const audiences = ['https://kubernetes.default.svc'];
  const token = await cluster.api.requestToken({ namespace: NAMESPACE, serviceAccount: 'spire-server', audiences });
  const kubeconfigFile = join(folder, 'server.kubeconfig');
  writeFileSync(kubeconfigFile, kubeconfig(cluster, token), { mode: 0o600 });
  const databaseCaFolder = join(folder, 'ca');
  mkdirSync(databaseCaFolder);
  copyFileSync(database.caFile, join(databaseCaFolder, 'ca.crt'));
  const ports = { grpc: await freePort(), health: await freePort(), metrics: await freePort() };
  const place: ServerPlace = { folder: join(folder, '0'), ports, databaseCaFolder, kubeconfigFile };
  mkdirSync(place.folder);
  const start = startOf(manifests, ['StatefulSet', 'spire-server'], {
    configurationFile: RealServer.configurationFile(place),
    secrets: { 'spire-database': { username: database.user, password: database.password.reveal() } },
    fields: { 'metadata.name': 'spire-server-0' },
  });
  const configuration = relocatedServer(configurationText(manifests, 'spire-server'), place);
  return { place, server: new RealServer({ name: 'spire-server-0', binaries, place, configuration, start }) };
}

function kubeconfig({ address, ca }: KubernetesCluster, token: string): string {
  const cluster = { server: address, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'spire',
    clusters: [{ name: 'spire', cluster }],
    users: [{ name: 'spire', user: { token } }],
    contexts: [{ name: 'spire', context: { cluster: 'spire', user: 'spire' } }],
  });
}

interface AgentOptions {
  readonly node: string;
  readonly serverPort: number;
  /** Whose token it shows. Default: the agents’ own, for the servers. */
  readonly serviceAccount?: string;
  readonly audience?: string;
  /** The pod that the token is bound to. */
  readonly pod: string;
}

let agents = 0;

/** An agent that has never attested. */
async function newAgent(stage: Stage, options: AgentOptions): Promise<RealAgent> {
  const { cluster, manifests, binaries, folder } = stage;
  const { serverPort, pod, serviceAccount = 'spire-agent', audience = 'spire-server' } = options;
  const token = await cluster.api.requestToken({
    namespace: AGENT_NAMESPACE,
    serviceAccount,
    audiences: [audience],
    pod,
  });
  agents += 1;
  const place = {
    folder: join(folder, `a${agents}`),
    serverPort,
    ports: { health: await freePort(), metrics: await freePort() },
    bundle: (await bundleOf(stage)) ?? '',
    token,
    clusterCaFile: cluster.caFile,
  };
  mkdirSync(place.folder);
  return new RealAgent({ binaries, configuration: configurationText(manifests, 'spire-agent'), place });
}

/** Why an agent is refused. @throws AssertionError when it is not */
async function refusal(agent: RealAgent, node: string): Promise<string> {
  const why = await agent.start(node).then(() => undefined, messageOf);
  await agent.stop();
  ok(why !== undefined, 'it attested');
  return why;
}

async function setRules({ release }: Stage, rules: unknown): Promise<void> {
  const patch = JSON.stringify([{ op: 'replace', path: '/rules', value: rules }]);
  const { code, output } = release.kubectl(['patch', 'clusterrole', CLUSTER_ROLE, '--type', 'json', '--patch', patch]);
  equal(code, 0, output);
}

async function judgeInstallation(stage: Stage): Promise<void> {
  const { cluster, release, report } = stage;
  await point(report, 'the agents’ namespace is made privileged, and an agent runs on every node', async () => {
    const { json } = await cluster.api.call(`/api/v1/namespaces/${AGENT_NAMESPACE}`);
    equal(at(json, ['metadata', 'labels', 'pod-security.kubernetes.io/enforce']), 'privileged');
    for (const node of ['node-1', 'node-2', 'node-3'])
      await eventually(`an agent on ${node}`, async () => (await agentPod(stage, node)) !== undefined);
  });
  await point(report, 'a namespace where Pod Security is restricted admits every other pod', async () => {
    await eventually('three servers, two providers and the Job', async () => {
      const pods = await listOf(stage, `/api/v1/namespaces/${NAMESPACE}/pods`);
      const count = (prefix: string): number => pods.filter((pod) => nameOf(pod).startsWith(prefix)).length;
      return count('spire-server-') === 3 && count('spire-oidc-') === 2 && count('spire-entries-') === 1;
    });
  });
  await point(report, 'and would not admit an agent', () => {
    const template = at(stage.manifests.get('DaemonSet', 'spire-agent'), 'spec.template') as {
      metadata: object;
      spec: object;
    };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name: 'agent', namespace: NAMESPACE },
      spec: { ...template.spec, serviceAccountName: 'default' },
    };
    const { code, output } = release.kubectl(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(pod) });
    ok(code !== 0, output);
    match(output, /violates PodSecurity "restricted:latest".*hostPath volumes/s);
  });
  for (const right of RIGHTS) {
    await point(report, described(right), async () => equal(await mayIt(cluster.api, right), right.allowed));
  }
}

/** Points that need an agent; `node` is where its pod runs. */
async function judgeAttestation(stage: Stage, server: RealServer, serverPort: number): Promise<void> {
  const { cluster, manifests, report } = stage;
  const node = 'node-1';
  const pod = nameOf(await agentPod(stage, node));
  const options = { node, serverPort, pod };
  await point(report, 'the servers write the trust bundle into the agents’ ConfigMap', () =>
    eventually('bundle.crt', async () => (await bundleOf(stage))?.includes('BEGIN CERTIFICATE') === true),
  );
  await point(report, 'the Job’s commands register its entries', async () => {
    for (const command of entryCommands(manifests)) await server.commands.run(command);
    deepEqual(shownEntries(await server.commands.run(['entry', 'show', '-output', 'json'])), wantedEntries(manifests));
  });
  const agent = await newAgent(stage, options);
  try {
    await point(report, 'an agent attests by its pod’s token and gets the identity of its node', async () => {
      await agent.start(node);
      const { json } = await cluster.api.call(`/api/v1/nodes/${node}`);
      const shown = await server.commands.run(['agent', 'list', '-output', 'json']);
      const [attested, ...others] = listAt(JSON.parse(shown), 'agents');
      deepEqual(others, []);
      equal(at(attested, 'id.path'), `/spire/agent/k8s_psat/neural-hive/${String(at(json, 'metadata.uid'))}`);
    });
    await point(report, 'the alias of the nodes is a parent: a process below it gets its identity', async () => {
      const id = 'spiffe://neural-hive.local/tried';
      const parent = 'spiffe://neural-hive.local/cluster/neural-hive';
      const entry = ['-parentID', parent, '-spiffeID', id, '-selector', `unix:uid:${process.getuid?.() ?? 0}`];
      await server.commands.run(['entry', 'create', ...entry]);
      await eventually('an identity', () =>
        agent.identities().then(
          (ids) => ids.includes(id),
          () => false,
        ),
      );
    });
    await point(report, 'the servers count attestations as the alert expects', async () => {
      match(await server.metrics(), new RegExp(`\n${ATTESTATION_METRIC}\\{[^}]*status="OK"`));
    });
  } finally {
    await agent.stop();
  }
  await judgeRefusals(stage, options);
}

async function judgeRefusals(stage: Stage, options: AgentOptions): Promise<void> {
  const { manifests, report } = stage;
  const { node } = options;
  const attempt = async (changes: Partial<AgentOptions> = {}): Promise<string> =>
    refusal(await newAgent(stage, { ...options, ...changes }), node);
  await point(report, 'a token of another service account of the namespace is refused', async () => {
    const { release } = stage;
    const stranger = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'stranger', namespace: AGENT_NAMESPACE },
      spec: { containers: [{ name: 'c', image: 'c' }] },
    };
    const { code, output } = release.kubectl(['create', '-f', '-'], { input: JSON.stringify(stranger) });
    equal(code, 0, output);
    match(
      await attempt({ serviceAccount: 'default', pod: 'stranger' }),
      /"spire-system:default" is not an allowed service account/,
    );
  });
  await point(report, 'a token for another audience is refused', async () => {
    match(await attempt({ audience: 'vault.neural-hive.local' }), /not authenticated|audience/i);
  });
  const { rules } = manifests.get('ClusterRole', CLUSTER_ROLE);
  for (const [what, others] of [
    ['without tokenreviews', listAt({ rules }, 'rules').slice(1)],
    ['with the rights of the mission document, which has none,', MISSION_RULES],
  ] as const) {
    await point(report, `${what} the servers attest nobody`, async () => {
      await setRules(stage, others);
      match(await attempt(), /tokenreviews\.authentication\.k8s\.io is forbidden/);
    });
  }
  await point(report, 'with the rights of the chart again they do', async () => {
    await setRules(stage, rules);
    const agent = await newAgent(stage, options);
    await agent.start(node);
    await agent.stop();
  });
}

async function judgeUpgrade(stage: Stage, upgrade: () => Promise<void>): Promise<void> {
  const { cluster, report } = stage;
  await point(report, 'an upgrade leaves the trust bundle where it is and rolls the servers', async () => {
    const before = await bundleOf(stage);
    ok(before?.includes('BEGIN CERTIFICATE'));
    const revision = async (): Promise<unknown> => {
      const { json } = await cluster.api.call(`/apis/apps/v1/namespaces/${NAMESPACE}/statefulsets/spire-server`);
      return at(json, 'status.updateRevision');
    };
    const old = await revision();
    await upgrade();
    equal(await bundleOf(stage), before);
    await eventually('another revision', async () => (await revision()) !== old);
  });
  await point(report, 'uninstalling leaves nothing in the cluster but the namespace it was given', async () => {
    await stage.release.uninstall('spire', NAMESPACE);
    for (const path of [
      '/apis/rbac.authorization.k8s.io/v1/clusterroles',
      '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
      '/apis/storage.k8s.io/v1/csidrivers',
    ]) {
      deepEqual(
        (await listOf(stage, path)).map(nameOf).filter((name) => name.includes('spi')),
        [],
      );
    }
    await eventually(
      'no namespace of agents',
      async () => (await cluster.api.call(`/api/v1/namespaces/${AGENT_NAMESPACE}`)).status === 404,
    );
  });
}

export const spireAttestationCheck: Check = {
  name: 'spire-psat',
  what: 'the chart installed on a real API server: agents attest by its tokens and rights, and without tokenreviews they do not',
  run: async ({ root, report, progress }) => {
    const helm = Helm.find();
    const binaries = process.env.SPIRE_BINARIES ?? (await installSpire({ log: progress }));
    const folder = mkdtempSync('/tmp/sp-');
    try {
      await using database = await startTlsPostgres({ database: 'spire' });
      await using cluster = await startKubernetes();
      const over = {
        database: { host: database.host, port: database.port },
        // Their custom resources belong to other operators.
        monitoring: { enabled: false },
        oidc: { tls: { mode: 'secret' } },
        // There is no kubelet to ask: identities are tried by the process.
        agent: { unixAttestor: true },
      };
      const options = rendering(root, 'disk', over);
      const release = new Release(helm, cluster);
      await cluster.api.createNamespace(NAMESPACE, { 'pod-security.kubernetes.io/enforce': 'restricted' });
      await release.upgrade(options);
      report.passed('the chart is installed');
      const stage: Stage = { cluster, release, manifests: await helm.render(options), binaries, folder, report };
      await judgeInstallation(stage);
      const { server, place } = await makeServer(stage, database);
      try {
        await server.start();
        await judgeAttestation(stage, server, place.ports.grpc);
      } finally {
        await server.stop();
      }
      await judgeUpgrade(stage, () =>
        release.upgrade(rendering(root, 'disk', { ...over, server: { logLevel: 'DEBUG' } })),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
