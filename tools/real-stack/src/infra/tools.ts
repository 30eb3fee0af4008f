import { join, resolve } from 'node:path';
import { buildGo, type GoBuild, type GoBuildOptions } from '../go/build.ts';
import { noteUse } from '../used.ts';

interface ToolBuild {
  readonly version: string;
  readonly what: string;
  /** The package that is the program. */
  readonly package: string;
  /** What cannot be done without it. */
  readonly blocks: string;
  /** Its release process sets these at link time. */
  readonly variables?: Readonly<Record<string, string>>;
  /** A program to use instead. */
  readonly environment: string;
}

/** Helm judges a chart's `kubeVersion` by these when no cluster is asked. */
const KUBERNETES = { major: '1', minor: '37' } as const;

/** Each is pinned by a Go module of its own in `infra/`: one for all would give every tool the others' dependencies. */
const TOOLS = {
  helm: {
    version: '3.22.0',
    what: 'Helm',
    package: 'helm.sh/helm/v3/cmd/helm',
    blocks: 'rendering, linting and installing the charts',
    environment: 'HELM_BINARY',
    variables: {
      'helm.sh/helm/v3/internal/version.version': 'v3.22.0',
      'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor': KUBERNETES.major,
      'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor': KUBERNETES.minor,
      'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': KUBERNETES.major,
      'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': KUBERNETES.minor,
    },
  },
  kubeconform: {
    version: '0.8.0',
    what: 'kubeconform',
    package: 'github.com/yannh/kubeconform/cmd/kubeconform',
    blocks: 'checking manifests against the schemas of Kubernetes',
    environment: 'KUBECONFORM_BINARY',
    variables: { 'main.version': 'v0.8.0' },
  },
  tflint: {
    version: '0.64.0',
    what: 'TFLint',
    package: 'github.com/terraform-linters/tflint',
    blocks: 'linting the Terraform modules',
    environment: 'TFLINT_BINARY',
  },
  opa: {
    version: '1.22.3',
    what: 'OPA',
    package: 'github.com/open-policy-agent/opa',
    blocks: 'evaluating policies in Rego',
    environment: 'OPA_BINARY',
  },
  kwok: {
    version: '0.8.0',
    what: 'kwok',
    package: 'sigs.k8s.io/kwok/cmd/kwok',
    blocks: 'the nodes and pods of the Kubernetes tests',
    environment: 'KWOK_BINARY',
    variables: { 'sigs.k8s.io/kwok/pkg/consts.Version': '0.8.0' },
  },
} as const satisfies Readonly<Record<string, ToolBuild>>;

/** A program for infrastructure that is built here. */
export type InfrastructureTool = keyof typeof TOOLS;

export const INFRASTRUCTURE_TOOLS = Object.keys(TOOLS) as readonly InfrastructureTool[];

export function toolVersion(tool: InfrastructureTool): string {
  return TOOLS[tool].version;
}

/** The environment variable that names a program to use instead of the built one. */
export function toolVariable(tool: InfrastructureTool): string {
  return TOOLS[tool].environment;
}

/** The folder of the tool's committed Go module. */
export function toolModule(tool: InfrastructureTool): string {
  return resolve(import.meta.dirname, '..', '..', 'infra', tool);
}

/**
 * The path of a tool's program: what its environment variable (HELM_BINARY, KUBECONFORM_BINARY, TFLINT_BINARY, OPA_BINARY,
 * KWOK_BINARY) names, else the one in the cache, built on first use in one to four minutes.
 * @throws RealStackError `go_missing` or `install_failed`, with what cannot be done without the tool
 */
export async function installTool(tool: InfrastructureTool, options: GoBuildOptions = {}): Promise<string> {
  const { version, what, package: path, blocks, environment, variables }: ToolBuild = TOOLS[tool];
  noteUse(tool, version);
  const named = process.env[environment];
  if (named !== undefined && named !== '') return named;
  const build: GoBuild = {
    what: `${what} ${version}`,
    name: `${tool}-${version}`,
    module: toolModule(tool),
    programs: { [path]: tool },
    blocks,
    ...(variables === undefined ? {} : { variables }),
  };
  return join(await buildGo(build, options), tool);
}
