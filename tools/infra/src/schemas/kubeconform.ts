import { installTool } from '@neural-hive/real-stack';
import { runCommand } from '../command.ts';
import { InfraError } from '../infra-error.ts';
import type { Manifests } from '../manifests.ts';
import { installCustomResources } from './custom-resources.ts';
import { installKubernetesSchemas } from './kubernetes-schemas.ts';

interface Resource {
  readonly kind: string;
  readonly name: string;
  readonly status: string;
  readonly msg: string;
}

export interface Verdict {
  readonly valid: number;
  /** What was not judged: no schema was found. It counts as much as what is wrong. */
  readonly skipped: number;
  /** Kind, name and what is wrong. */
  readonly problems: readonly string[];
}

/** Judges objects by the schemas of Kubernetes and of the custom resources, with unknown fields refused. */
export class Kubeconform {
  readonly #program: string;
  readonly #locations: readonly string[];

  private constructor(program: string, locations: readonly string[]) {
    this.#program = program;
    this.#locations = locations;
  }

  static async open(options: { log: (line: string) => void }): Promise<Kubeconform> {
    const program = await installTool('kubeconform', options);
    const kubernetes = await installKubernetesSchemas(options);
    const { schemas } = await installCustomResources(options);
    return new Kubeconform(program, [
      `${kubernetes}/{{ .NormalizedKubernetesVersion }}{{ .StrictSuffix }}/{{ .ResourceKind }}{{ .KindSuffix }}.json`,
      `${schemas}/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json`,
    ]);
  }

  async judge({ all }: Manifests, version: string): Promise<Verdict> {
    const locations = this.#locations.flatMap((location) => ['-schema-location', location]);
    const args = ['-strict', '-summary', '-output', 'json', '-kubernetes-version', version, '-n', '2', ...locations];
    const input = all.map((manifest) => `---\n${JSON.stringify(manifest)}\n`).join('');
    const { stdout, stderr } = await runCommand(this.#program, [...args, '-verbose'], { input });
    const report = parseReport(stdout, stderr);
    const problems = report
      .filter(({ status }) => status === 'statusInvalid' || status === 'statusError')
      .map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`);
    const count = (status: string): number => report.filter((one) => one.status === status).length;
    return { valid: count('statusValid'), skipped: count('statusSkipped'), problems };
  }
}

function parseReport(stdout: string, stderr: string): readonly Resource[] {
  try {
    return (JSON.parse(stdout) as { resources: Resource[] }).resources;
  } catch (cause) {
    throw new InfraError('tool_failed', `kubeconform failed: ${stderr.trim() || stdout.trim()}`, { cause });
  }
}
