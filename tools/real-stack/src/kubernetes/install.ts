import { resolve } from 'node:path';
import { buildGo, type GoBuild, type GoBuildOptions } from '../go/build.ts';

export const KUBERNETES_VERSION = '1.37.2';

const [MAJOR = '', MINOR = ''] = KUBERNETES_VERSION.split('.');

/** Its release process sets these, and clients read the server's version from them: the servers' and the client's copy. */
const VERSION_VARIABLES = Object.fromEntries(
  ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    [`${path}.gitVersion`, `v${KUBERNETES_VERSION}`],
    [`${path}.gitMajor`, MAJOR],
    [`${path}.gitMinor`, MINOR],
    [`${path}.gitTreeState`, 'clean'],
  ]),
);

const BUILD: GoBuild = {
  what: `Kubernetes ${KUBERNETES_VERSION}`,
  name: `kubernetes-${KUBERNETES_VERSION}`,
  module: resolve(import.meta.dirname, '..', '..', 'kubernetes'),
  sources: ['main.go'],
  programs: { '.': 'kubernetes', 'k8s.io/kubernetes/cmd/kubectl': 'kubectl' },
  variables: VERSION_VARIABLES,
  blocks: 'everything that asks a real API server: Vault’s kubernetes login, SPIRE’s k8s_psat, installing the charts',
};

/**
 * The folder with `kubernetes`, whose first argument is `kube-apiserver`, `kube-controller-manager` or `kube-scheduler`,
 * and `kubectl`; built when they are not in the cache yet, which takes ten minutes on two cores.
 */
export function installKubernetes(options: GoBuildOptions = {}): Promise<string> {
  return buildGo(BUILD, options);
}
