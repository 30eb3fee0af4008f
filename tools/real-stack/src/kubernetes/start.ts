import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Secret } from '@neural-hive/security/common';
import { type EtcdServer, startEtcd } from '../etcd/start.ts';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { askJson } from '../https-json.ts';
import { installTool } from '../infra/tools.ts';
import { writeLoopbackCertificate } from '../loopback-certificate.ts';
import { noteUse } from '../used.ts';
import { KubernetesApi } from './api.ts';
import {
  apiServerArguments,
  type ClusterUser,
  controllerManagerArguments,
  kubeconfig,
  makeTokens,
  schedulerArguments,
  tokenFile,
} from './configuration.ts';
import { installKubernetes } from './install.ts';
import { KWOK_CONFIGURATION } from './stages.ts';

export interface StartKubernetesOptions {
  /**
   * `api-server` starts etcd and the API server alone: objects, RBAC and tokens are real, and nothing is made of an object.
   * Default `all`, with controllers, scheduler and nodes.
   */
  readonly parts?: 'all' | 'api-server';
  /** Nodes to have, `node-1` on. Default 3. */
  readonly nodes?: number;
  /** Zones that the nodes are in by turns, `zone-1` on. Default: each node has one of its own. */
  readonly zones?: number;
  /** The folder with `kubernetes` and `kubectl`. Default: KUBERNETES_BINARIES, else the built ones. */
  readonly binaries?: string;
  /** Default: KWOK_BINARY, else the built one. */
  readonly kwok?: string;
  /** Default: ETCD_BINARY, else the built one. */
  readonly etcd?: string;
  readonly log?: (line: string) => void;
}

const READY_LIMIT_MS = 120_000;
const STOP: readonly [string, string] = ['TERM', 'KILL'];

/**
 * A real control plane: etcd, API server, controller manager and scheduler; kwok plays the nodes and the pods. TLS with an
 * authority of the run, RBAC, Pod Security, service account tokens. All of it ends with this process.
 */
export class KubernetesCluster implements AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly address: string;
  readonly ca: string;
  readonly caFile: string;
  /** For kubectl and helm; the user may do everything. */
  readonly kubeconfigFile: string;
  /** The path of kubectl of the same version. */
  readonly kubectl: string;
  readonly adminToken: Secret<string>;
  readonly api: KubernetesApi;
  readonly #folder: string;
  readonly #processes: GuardedProcess[] = [];
  #etcd: EtcdServer | undefined;
  #version = '';

  private constructor(options: {
    readonly folder: string;
    readonly port: number;
    readonly binaries: string;
    readonly tls: ReturnType<typeof writeLoopbackCertificate>;
    readonly token: Secret<string>;
  }) {
    const { folder, port, binaries, tls, token } = options;
    this.#folder = folder;
    this.address = `https://127.0.0.1:${port}`;
    this.ca = tls.ca;
    this.caFile = tls.caFile;
    this.adminToken = token;
    this.kubectl = join(binaries, 'kubectl');
    this.kubeconfigFile = join(folder, 'admin.kubeconfig');
    this.api = new KubernetesApi({ address: this.address, ca: tls.ca, token });
  }

  /** Resolves when the nodes are ready and pods could be made. @throws RealStackError `start_failed` */
  static async start(options: StartKubernetesOptions = {}): Promise<KubernetesCluster> {
    const { nodes = 3, zones = nodes, parts = 'all', log = () => {} } = options;
    const binaries = options.binaries ?? process.env.KUBERNETES_BINARIES ?? (await installKubernetes());
    const kwok = parts === 'all' ? (options.kwok ?? (await installTool('kwok'))) : '';
    const folder = mkdtempSync(join(tmpdir(), 'kube-'));
    const tls = writeLoopbackCertificate(folder, { name: 'kubernetes.test', dnsNames: SERVICE_NAMES });
    const tokens = makeTokens();
    const port = await freePort();
    const cluster = new KubernetesCluster({ folder, port, binaries, tls, token: tokens.admin });
    const write = (name: string, content: string): string => {
      const path = join(folder, name);
      writeFileSync(path, content, { mode: 0o600 });
      return path;
    };
    const kubeconfigOf = (user: ClusterUser): string =>
      write(`${user}.kubeconfig`, kubeconfig({ address: cluster.address, ca: tls.ca, token: tokens[user] }));
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const serviceAccountKeyFile = write(
      'service-accounts.key',
      String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    );
    const { certificateFile, keyFile, caFile } = tls;
    const program = join(binaries, 'kubernetes');
    const run = (name: string, path: string, args: readonly string[]): GuardedProcess =>
      cluster.#run({ name, program: path, args, log });
    try {
      kubeconfigOf('admin');
      const etcd = await startEtcd({ log, ...(options.etcd === undefined ? {} : { binary: options.etcd }) });
      cluster.#etcd = etcd;
      const tokensFile = write('tokens.csv', tokenFile(tokens));
      const apiServer = { folder, port, etcd, tokensFile, serviceAccountKeyFile, certificateFile, keyFile };
      const server = run('kube-apiserver', program, apiServerArguments(apiServer));
      await server.ready(() => cluster.api.isReady(), { limitMs: READY_LIMIT_MS });
      await cluster.#readVersion();
      if (parts === 'api-server') return cluster;

      const client = async (user: ClusterUser) => ({
        port: await freePort(),
        kubeconfigFile: kubeconfigOf(user),
        certificateFile,
        keyFile,
      });
      const manager = await client('controllerManager');
      const scheduler = await client('scheduler');
      const config = write('kwok.yaml', KWOK_CONFIGURATION);
      const kwokArguments = [`--kubeconfig=${kubeconfigOf('kwok')}`, `--config=${config}`, '--manage-all-nodes'];
      const healthy = (at: number): Promise<boolean> =>
        askJson(`https://127.0.0.1:${at}/healthz`, { ca: tls.ca, timeoutMs: 5_000 }).then(
          ({ status }) => status === 200,
          () => false,
        );
      const managerProcess = run(
        'kube-controller-manager',
        program,
        controllerManagerArguments({ ...manager, serviceAccountKeyFile, caFile }),
      );
      const schedulerProcess = run('kube-scheduler', program, schedulerArguments(scheduler));
      const kwokProcess = run('kwok', kwok, kwokArguments);
      await managerProcess.ready(() => healthy(manager.port), { limitMs: READY_LIMIT_MS });
      await schedulerProcess.ready(() => healthy(scheduler.port), { limitMs: READY_LIMIT_MS });
      for (let index = 1; index <= nodes; index++) await cluster.#createNode(index, ((index - 1) % zones) + 1);
      await kwokProcess.ready(() => cluster.#canRunPods(nodes), { limitMs: READY_LIMIT_MS });
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** The version of the API server, without `v`. */
  get version(): string {
    return this.#version;
  }

  /** The processes, newest last. */
  get pids(): readonly (number | undefined)[] {
    return [this.#etcd?.pid, ...this.#processes.map(({ pid }) => pid)];
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    // What is at work ends before what it works on.
    for (const process of [...this.#processes].reverse()) await process.stop();
    await this.#etcd?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #run(options: {
    readonly name: string;
    readonly program: string;
    readonly args: readonly string[];
    readonly log: (line: string) => void;
  }): GuardedProcess {
    const { name, log } = options;
    const started = new GuardedProcess({
      ...options,
      env: { PATH: '/usr/bin:/bin', HOME: this.#folder },
      log: (line) => log(`${name}: ${line}`),
      stopSignals: STOP,
    });
    this.#processes.push(started);
    return started;
  }

  async #readVersion(): Promise<void> {
    const { gitVersion = '' } = ((await this.api.call('/version')).json ?? {}) as { gitVersion?: string };
    this.#version = gitVersion.replace(/^v/, '');
    noteUse('kubernetes', this.#version);
  }

  async #createNode(index: number, zone: number): Promise<void> {
    const name = `node-${index}`;
    const labels = {
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'topology.kubernetes.io/region': 'region-1',
      'topology.kubernetes.io/zone': `zone-${zone}`,
    };
    await this.api.create('/api/v1/nodes', { metadata: { name, labels } });
  }

  /** Nodes are ready, and the account that pods have when they name none was made. */
  async #canRunPods(nodes: number): Promise<boolean> {
    const listed = (await this.api.call('/api/v1/nodes')).json as NodeList;
    const ready = (listed.items ?? []).filter(({ status, spec }) => {
      const isReady = status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
      return isReady === true && (spec.taints ?? []).length === 0;
    });
    const account = await this.api.call('/api/v1/namespaces/default/serviceaccounts/default');
    return ready.length === nodes && account.status === 200;
  }
}

interface NodeList {
  readonly items?: readonly {
    readonly spec: { readonly taints?: readonly unknown[] };
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

const SERVICE_NAMES = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];

/** {@link KubernetesCluster.start} */
export function startKubernetes(options: StartKubernetesOptions = {}): Promise<KubernetesCluster> {
  return KubernetesCluster.start(options);
}
