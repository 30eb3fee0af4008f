import { spawnSync } from 'node:child_process';
import type { KubernetesCluster } from '@neural-hive/real-stack';
import type { Helm, RenderOptions } from '../../helm.ts';
import { InfraError } from '../../infra-error.ts';

/** A release of the chart on a real API server. */
export class Release {
  readonly #helm: Helm;
  readonly #cluster: KubernetesCluster;

  constructor(helm: Helm, cluster: KubernetesCluster) {
    this.#helm = helm;
    this.#cluster = cluster;
  }

  /** Installs it, or brings it to other values. @throws InfraError `tool_failed` with what helm says */
  async upgrade({ chart, release, namespace, valueFiles = [], values = {} }: RenderOptions): Promise<void> {
    const files = valueFiles.flatMap((file) => ['--values', file]);
    await this.#run(
      ['upgrade', '--install', release, chart, '--namespace', namespace, ...files, '--values', '-'],
      values,
    );
  }

  async uninstall(release: string, namespace: string): Promise<void> {
    await this.#run(['uninstall', release, '--namespace', namespace]);
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

  async #run(args: readonly string[], values?: Readonly<Record<string, unknown>>): Promise<void> {
    const { code, stdout, stderr } = await this.#helm.run(
      ['--kubeconfig', this.#cluster.kubeconfigFile, ...args],
      values,
    );
    if (code !== 0) throw new InfraError('tool_failed', `helm ${args[0]}: ${stderr.trim() || stdout.trim()}`);
  }
}
