import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installTool } from '@neural-hive/real-stack';
import { parseAllDocuments } from 'yaml';
import { type Outcome, runCommand } from './command.ts';
import { InfraError } from './infra-error.ts';
import { type Manifest, Manifests } from './manifests.ts';

export interface RenderOptions {
  /** The chart's folder. */
  readonly chart: string;
  readonly release: string;
  readonly namespace: string;
  /** Files of values, the later ones over the earlier ones. */
  readonly valueFiles?: readonly string[];
  /** Over all files. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** Of the cluster it is rendered for. Default 1.34.0: a helm built from source takes itself for an old one. */
  readonly kubeVersion?: string;
  /** Whether helm tests and other hooks are rendered as well. Default true. */
  readonly hooks?: boolean;
}

const KUBE_VERSION = '1.34.0';

const MISSING = `helm is missing: set HELM_BINARY to a helm 3 binary, put one on PATH, or build it with
  go install helm.sh/helm/v3/cmd/helm@v3.22.0`;

/** The helm program. */
export class Helm {
  readonly program: string;

  private constructor(program: string) {
    this.program = program;
  }

  /** `HELM_BINARY`, else the one on PATH. @throws InfraError `tool_missing` that says how to get one */
  static find(env: NodeJS.ProcessEnv = process.env): Helm {
    const program = programIn(env);
    if (program === undefined || !existsSync(program)) throw new InfraError('tool_missing', MISSING);
    return new Helm(program);
  }

  /** As `find`; where no helm is named or on PATH, the pinned one is built, once, and kept for the user. */
  static async open(env: NodeJS.ProcessEnv = process.env): Promise<Helm> {
    const program = programIn(env);
    return program === undefined ? new Helm(await installTool('helm')) : Helm.find(env);
  }

  /** What the chart makes of the values, without asking a cluster. @throws InfraError `render_failed` */
  async render(options: RenderOptions): Promise<Manifests> {
    const { code, stdout, stderr } = await this.#template(options);
    if (code !== 0) throw new InfraError('render_failed', stderr.trim());
    return parseManifests(stdout);
  }

  /** What the chart says against the values; undefined when it accepts them. */
  async refusal(options: RenderOptions): Promise<string | undefined> {
    const { code, stderr } = await this.#template(options);
    return code === 0 ? undefined : stderr.trim();
  }

  /** `helm lint --strict`: its complaints, or undefined. */
  async lint(options: RenderOptions): Promise<string | undefined> {
    const { chart, namespace, kubeVersion = KUBE_VERSION } = options;
    const args = ['lint', '--strict', chart, '--namespace', namespace, '--kube-version', kubeVersion];
    const { code, stdout, stderr } = await this.run([...args, ...valueArguments(options)], options.values);
    return code === 0 ? undefined : `${stdout}\n${stderr}`.trim();
  }

  /** Any command of helm. The values come to `-f -` by standard input. */
  run(args: readonly string[], values?: Readonly<Record<string, unknown>>): Promise<Outcome> {
    return runCommand(this.program, args, values === undefined ? {} : { input: JSON.stringify(values) });
  }

  #template(options: RenderOptions): Promise<Outcome> {
    const { chart, release, namespace, kubeVersion = KUBE_VERSION, hooks = true } = options;
    const args = ['template', release, chart, '--namespace', namespace, '--kube-version', kubeVersion];
    return this.run([...args, ...(hooks ? [] : ['--no-hooks']), ...valueArguments(options)], options.values);
  }
}

function programIn({ HELM_BINARY: named, PATH = '' }: NodeJS.ProcessEnv): string | undefined {
  if (named !== undefined && named !== '') return named;
  return PATH.split(delimiter)
    .map((folder) => join(folder, 'helm'))
    .find((place) => existsSync(place));
}

function valueArguments({ valueFiles = [], values }: RenderOptions): string[] {
  const files = valueFiles.flatMap((file) => ['--values', file]);
  return values === undefined ? files : [...files, '--values', '-'];
}

/** The objects of a stream of YAML documents. A key given twice is an error, as it is to a strict server. */
export function parseManifests(text: string): Manifests {
  const documents = parseAllDocuments(text, { uniqueKeys: true, version: '1.1' });
  const parsed = Array.isArray(documents) ? documents : [];
  const broken = parsed.find(({ errors }) => errors.length > 0);
  if (broken !== undefined) throw new InfraError('not_yaml', `rendered YAML: ${broken.errors[0]?.message}`);
  const objects = parsed.map((document) => document.toJS() as Manifest | null).filter((object) => object !== null);
  return new Manifests(objects);
}
