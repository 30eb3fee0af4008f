import { at, listAt } from '../manifests.ts';

/** Kinds of volumes that the level `restricted` of Pod Security lets a pod have. */
const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** What the level `restricted` of Pod Security has against a pod; nothing when it admits it. */
export function restrictedProblems(spec: unknown): readonly string[] {
  const problems: string[] = [];
  const complain = (when: boolean, problem: string): void => {
    if (when) problems.push(problem);
  };
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) complain(at(spec, field) === true, field);
  complain(at(spec, 'securityContext.runAsUser') === 0, 'runAsUser 0');
  for (const volume of listAt(spec, 'volumes')) {
    const kind = Object.keys(volume as object).find((key) => key !== 'name') ?? 'none';
    complain(!VOLUMES.includes(kind), `a volume of kind ${kind}`);
  }
  for (const list of ['initContainers', 'containers']) {
    for (const container of listAt(spec, list)) {
      const name = String(at(container, 'name'));
      const own = (path: string): unknown => at(container, `securityContext.${path}`);
      const either = (path: string): unknown => own(path) ?? at(spec, `securityContext.${path}`);
      const dropped = listAt(container, 'securityContext.capabilities.drop');
      const added = listAt(container, 'securityContext.capabilities.add');
      complain(either('runAsNonRoot') !== true, `${name} may run as root`);
      complain(own('runAsUser') === 0, `${name} runs as root`);
      complain(either('seccompProfile.type') !== 'RuntimeDefault', `${name} has no seccomp profile`);
      complain(own('allowPrivilegeEscalation') !== false, `${name} may escalate`);
      complain(own('privileged') === true, `${name} is privileged`);
      complain(!dropped.includes('ALL'), `${name} keeps capabilities`);
      complain(
        added.some((capability) => capability !== 'NET_BIND_SERVICE'),
        `${name} adds capabilities`,
      );
      complain(
        listAt(container, 'ports').some((port) => at(port, 'hostPort') !== undefined),
        `${name} has a host port`,
      );
    }
  }
  return problems;
}
