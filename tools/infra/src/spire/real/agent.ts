import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GuardedProcess, SpireServerCommands } from '@neural-hive/real-stack';
import { lastErrorOf } from './server.ts';

/** Where a rendered agent's configuration finds on this machine what its pod would have. */
export interface AgentPlace {
  /** Short, private: the socket, the data and the log are in it. */
  readonly folder: string;
  readonly serverPort: number;
  readonly ports: { readonly health: number; readonly metrics: number };
  /** The trust bundle, as the ConfigMap has it. */
  readonly bundle: string;
  /** The token of the pod's service account, for attestation. */
  readonly token: string;
  /** The token of the same account for the API server, which the kubelet would be shown. */
  readonly apiToken: string;
  /** The cluster's authority. */
  readonly clusterCaFile: string;
}

const socketOf = ({ folder }: AgentPlace): string => join(folder, 's', 'agent.sock');
const logOf = ({ folder }: AgentPlace): string => join(folder, 'agent.log');

/** The agent's configuration with other paths, ports and address of the server, and nothing else changed. */
function relocatedAgent(text: string, place: AgentPlace): object {
  const { folder, ports, serverPort, clusterCaFile } = place;
  const moved = text
    .replaceAll('/run/spire/sockets', join(folder, 's'))
    .replaceAll('/run/spire/bundle', join(folder, 'b'))
    .replaceAll('/var/lib/spire/agent', join(folder, 'data'))
    .replaceAll('/var/run/secrets/tokens', join(folder, 't'))
    .replaceAll('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt', clusterCaFile);
  const parsed = JSON.parse(moved) as {
    agent: object;
    health_checks: object;
    plugins: { WorkloadAttestor: { k8s: { plugin_data: object } } };
  };
  const { plugins } = parsed;
  // Where it is by default, a pod has its token.
  const k8s = { plugin_data: { ...plugins.WorkloadAttestor.k8s.plugin_data, token_path: join(folder, 't', 'api') } };
  return {
    ...parsed,
    plugins: { ...plugins, WorkloadAttestor: { ...plugins.WorkloadAttestor, k8s } },
    agent: { ...parsed.agent, server_address: '127.0.0.1', server_port: serverPort, log_file: logOf(place) },
    health_checks: { ...parsed.health_checks, bind_address: '127.0.0.1', bind_port: String(ports.health) },
    telemetry: { Prometheus: { host: '127.0.0.1', port: ports.metrics } },
  };
}

const READY_LIMIT_MS = 60_000;

/** One `spire-agent` on this machine, in the place of a pod of the DaemonSet. */
export class RealAgent {
  readonly socket: string;
  readonly #binaries: string;
  readonly #place: AgentPlace;
  readonly #commands: SpireServerCommands;
  #process: GuardedProcess | undefined;

  constructor(options: { readonly binaries: string; readonly configuration: string; readonly place: AgentPlace }) {
    const { binaries, configuration, place } = options;
    this.#binaries = binaries;
    this.#place = place;
    this.socket = socketOf(place);
    const { folder } = place;
    for (const name of ['s', 'b', 't', 'data']) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, 'b', 'bundle.crt'), place.bundle);
    writeFileSync(join(folder, 't', 'spire-agent'), place.token, { mode: 0o600 });
    writeFileSync(join(folder, 't', 'api'), place.apiToken, { mode: 0o600 });
    writeFileSync(join(folder, 'agent.conf'), JSON.stringify(relocatedAgent(configuration, place)), { mode: 0o600 });
    // Any program of SPIRE takes its socket in the same way.
    this.#commands = new SpireServerCommands({ program: join(binaries, 'spire-agent'), socket: this.socket, folder });
  }

  /** Resolves once it has attested. @throws RealStackError `start_failed` with why it was refused */
  async start(nodeName: string): Promise<void> {
    const { folder } = this.#place;
    const started = new GuardedProcess({
      name: `SPIRE agent of ${nodeName}`,
      program: join(this.#binaries, 'spire-agent'),
      args: ['run', '-config', join(folder, 'agent.conf')],
      env: { PATH: '/usr/bin:/bin', HOME: folder, MY_NODE_NAME: nodeName },
    });
    this.#process = started;
    // An agent that is refused only warns, and tries again for ever: its first complaint is the answer.
    const refusal = (): string | undefined => lastErrorOf(logOf(this.#place), /Failed to retrieve attestation result/);
    const reason = (): string | undefined => refusal() ?? lastErrorOf(logOf(this.#place));
    const isReady = async (): Promise<boolean> => {
      if (refusal() !== undefined) await started.stop();
      return !started.ended && (await this.#commands.isHealthy());
    };
    await started.ready(isReady, { limitMs: READY_LIMIT_MS, reason });
  }

  /** The SPIFFE IDs that this process gets. */
  async identities(): Promise<readonly string[]> {
    const json = await this.#commands.run(['api', 'fetch', 'x509', '-output', 'json']);
    const { svids } = JSON.parse(json) as { svids: readonly { spiffe_id: string }[] };
    return svids.map(({ spiffe_id }) => spiffe_id);
  }

  /** A JWT-SVID of one of them. */
  async token(spiffeId: string, audience: string): Promise<string> {
    const args = ['api', 'fetch', 'jwt', '-output', 'json', '-spiffeID', spiffeId, '-audience', audience];
    const [answer] = JSON.parse(await this.#commands.run(args)) as readonly { svids: readonly { svid: string }[] }[];
    return answer?.svids[0]?.svid ?? '';
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }
}
