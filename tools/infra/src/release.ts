import { spawnSync } from 'node:child_process';
import type { KubernetesCluster } from '@neural-hive/real-stack';
import { type Helm, parseManifests, type RenderOptions } from './helm.ts';
import { InfraError } from './infra-error.ts';
import type { Manifests } from './manifests.ts';

/** How long to wait for what was installed. */
export interface WaitOptions {
  /** Passed to helm as `--wait --timeout`. Default: it does not wait. */
  readonly waitSeconds?: number;
}

/** Releases of charts on a real API server. */
export class Release {
  readonly #helm: Helm;
  readonly #cluster: KubernetesCluster;

  constructor(helm: Helm, cluster: KubernetesCluster) {
    this.#helm = helm;
    this.#cluster = cluster;
  }

  /** @throws InfraError `tool_failed` with what helm says, as when there is a release of that name */
  install(options: RenderOptions, wait: WaitOptions = {}): Promise<void> {
    return this.#bring(['install'], options, wait);
  }

  /** Installs it, or brings it to other values. @throws InfraError `tool_failed` with what helm says */
  upgrade(options: RenderOptions, wait: WaitOptions = {}): Promise<void> {
    return this.#bring(['upgrade', '--install'], options, wait);
  }

  /** Runs the chart's tests. @throws InfraError `tool_failed` where one fails, or does not end in time */
  async test(release: string, namespace: string, limitSeconds = 120): Promise<void> {
    await this.#run(['test', release, '--namespace', namespace, '--timeout', `${limitSeconds}s`]);
  }

  /** What the cluster was given, hooks apart. */
  async manifests(release: string, namespace: string): Promise<Manifests> {
    return parseManifests(await this.#run(['get', 'manifest', release, '--namespace', namespace]));
  }

  async uninstall(release: string, namespace: string): Promise<void> {
    await this.#run(['uninstall', release, '--namespace', namespace, '--wait']);
  }

  /** kubectl as somebody else, with the manifest on standard input. */
  kubectl(args: readonly string[], options: { readonly token?: string; readonly input?: string } = {}) {
    const { address, caFile, kubeconfigFile, kubectl } = this.#cluster;
    const asWhom =
      options.token === undefined
        ? ['--kubeconfig', kubeconfigFile]
        : [
            '--kubeconfig',
            '/dev/null',
            '--server',
            address,
            '--certificate-authority',
            caFile,
            '--token',
            options.token,
          ];
    const { status, stdout, stderr } = spawnSync(kubectl, [...asWhom, ...args], {
      encoding: 'utf8',
      input: options.input ?? '',
      env: { PATH: '/usr/bin:/bin', HOME: '/tmp' },
      timeout: 120_000,
    });
    return { code: status, output: `${stdout}${stderr}`.trim() };
  }

  async #bring(command: readonly string[], options: RenderOptions, { waitSeconds }: WaitOptions): Promise<void> {
    const { chart, release, namespace, valueFiles = [], values = {} } = options;
    const files = valueFiles.flatMap((file) => ['--values', file]);
    const wait = waitSeconds === undefined ? [] : ['--wait', '--timeout', `${waitSeconds}s`];
    await this.#run([...command, release, chart, '--namespace', namespace, ...wait, ...files, '--values', '-'], values);
  }

  async #run(args: readonly string[], values?: Readonly<Record<string, unknown>>): Promise<string> {
    const { code, stdout, stderr } = await this.#helm.run(
      ['--kubeconfig', this.#cluster.kubeconfigFile, ...args],
      values,
    );
    if (code !== 0) throw new InfraError('tool_failed', `helm ${args[0]}: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  }
}
