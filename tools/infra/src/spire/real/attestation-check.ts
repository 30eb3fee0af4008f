import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIENCES, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { freePort, installSpire, startKubernetes, startTlsPostgres } from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import type { Check } from '../../check.ts';
import { eventually } from '../../eventually.ts';
import { Helm } from '../../helm.ts';
import { at, listAt } from '../../manifests.ts';
import { point } from '../../point.ts';
import { Release } from '../../release.ts';
import { configurationText } from '../configuration.ts';
import { entryCommands } from '../entry-job.ts';
import { shownEntries, wantedEntries } from '../entry-list.ts';
import { ATTESTATION_METRIC } from '../metrics.ts';
import { AGENT_NAMESPACE, NAMESPACE, rendering } from '../renderings.ts';
import { RealAgent } from './agent.ts';
import { judgeInstallation, judgeUpgrade } from './installation.ts';
import { claimsIfSigned, RealOidcProvider } from './oidc-provider.ts';
import { mayIt, type Right } from './rights.ts';
import type { RealServer } from './server.ts';
import { API_AUDIENCE, agentPod, bundleOf, makeServer, nameOf, type Stage } from './stage.ts';
import { judgeUpstream } from './upstream.ts';

const CLUSTER_ROLE = 'spire-spire-server';

const REVIEW_TOKENS: Right = {
  account: 'server',
  verb: 'create',
  resource: 'tokenreviews.authentication.k8s.io',
  allowed: true,
};

/** What the mission document gives the servers: nobody attests with it. */
const MISSION_RULES = [
  { apiGroups: [''], resources: ['pods', 'nodes', 'serviceaccounts'], verbs: ['get', 'list', 'watch'] },
];

/** An identity for processes of this user, since there is no kubelet to ask about pods. */
const TRIED = 'spiffe://neural-hive.local/tried';

interface AgentOptions {
  readonly node: string;
  readonly serverPort: number;
  /** Whose token it shows. Default: the agents’ own, for the servers. */
  readonly serviceAccount?: string;
  readonly audience?: string;
  /** The pod that the token is bound to. */
  readonly pod: string;
}

/** An agent that has never attested. */
async function newAgent(stage: Stage, options: AgentOptions): Promise<RealAgent> {
  const { cluster, manifests, binaries, folder } = stage;
  const { serverPort, pod, serviceAccount = 'spire-agent', audience = 'spire-server' } = options;
  const account = { namespace: AGENT_NAMESPACE, serviceAccount, pod };
  const token = await cluster.api.requestToken({ ...account, audiences: [audience] });
  const apiToken = await cluster.api.requestToken({ ...account, audiences: [API_AUDIENCE] });
  const place = {
    folder: mkdtempSync(join(folder, 'a')),
    serverPort,
    ports: { health: await freePort(), metrics: await freePort() },
    bundle: (await bundleOf(stage)) ?? '',
    token,
    apiToken,
    clusterCaFile: cluster.caFile,
  };
  return new RealAgent({ binaries, configuration: configurationText(manifests, 'spire-agent'), place });
}

/** Why an agent is refused. @throws AssertionError when it is not */
async function refusal(agent: RealAgent, node: string): Promise<string> {
  const why = await agent.start(node).then(() => undefined, messageOf);
  await agent.stop();
  ok(why !== undefined, 'it attested');
  return why;
}

/** Resolves when the API server judges by them. */
async function setRules({ cluster, release }: Stage, rules: unknown): Promise<void> {
  const patch = JSON.stringify([{ op: 'replace', path: '/rules', value: rules }]);
  const { code, output } = release.kubectl(['patch', 'clusterrole', CLUSTER_ROLE, '--type', 'json', '--patch', patch]);
  equal(code, 0, output);
  const isGiven = JSON.stringify(rules).includes('tokenreviews');
  await eventually('the new rights', async () => (await mayIt(cluster.api, REVIEW_TOKENS)) === isGiven);
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
      const parent = 'spiffe://neural-hive.local/cluster/neural-hive';
      const entry = ['-parentID', parent, '-spiffeID', TRIED, '-selector', `unix:uid:${process.getuid?.() ?? 0}`];
      await server.commands.run(['entry', 'create', ...entry]);
      await eventually('an identity', () =>
        agent.identities().then(
          (ids) => ids.includes(TRIED),
          () => false,
        ),
      );
    });
    await point(report, 'the OIDC provider shows the keys of the tokens, under the issuer that they name', () =>
      judgeProvider(stage, agent),
    );
    await point(report, 'the servers count attestations as the alert expects', async () => {
      match(await server.metrics(), new RegExp(`\n${ATTESTATION_METRIC}\\{[^}]*status="OK"`));
    });
  } finally {
    await agent.stop();
  }
  await judgeRefusals(stage, options);
}

/** The agent has an identity for this process, and so for the provider. */
async function judgeProvider({ manifests, binaries, folder }: Stage, agent: RealAgent): Promise<void> {
  const configuration = configurationText(manifests, 'spire-oidc');
  const provider = await RealOidcProvider.start({ binaries, folder, configuration, agentSocket: agent.socket });
  try {
    const { host } = new URL(SPIFFE_ISSUER);
    const { status, body } = await provider.get('/.well-known/openid-configuration', host);
    equal(status, 200);
    equal(at(JSON.parse(body), 'issuer'), SPIFFE_ISSUER);
    equal(at(JSON.parse(body), 'jwks_uri'), `${SPIFFE_ISSUER}/keys`);
    // What `helm test` looks for.
    ok(body.includes(`"issuer": "${SPIFFE_ISSUER}"`), body);
    for (const name of ['spire-oidc', `spire-oidc.${NAMESPACE}.svc.cluster.local`])
      equal((await provider.get('/keys', name)).status, 200, name);
    const elsewhere = await provider.get('/.well-known/openid-configuration', 'elsewhere.test', host);
    ok(elsewhere.status >= 400, 'it answers under any name');
    const token = await agent.token(TRIED, AUDIENCES.vault);
    const claims = claimsIfSigned(token, (await provider.get('/keys', host)).body);
    equal(claims?.iss, SPIFFE_ISSUER);
    equal(claims.sub, TRIED);
  } finally {
    await provider.stop();
  }
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
      /spire-system:default\\*" is not an allowed service account/,
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

export const spireAttestationCheck: Check = {
  name: 'spire-psat',
  what: 'the chart on a real API server: who attests and who does not, the OIDC provider, Vault as the authority above',
  run: async ({ root, report, progress }) => {
    const helm = await Helm.open();
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
      await judgeUpstream(stage, helm, root);
      await judgeUpgrade(stage, () =>
        release.upgrade(rendering(root, 'disk', { ...over, server: { logLevel: 'DEBUG' } })),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
