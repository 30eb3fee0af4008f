import { expect, test } from 'vitest';
import { restrictedProblems } from './pod-security.ts';

const container = {
  name: 'a',
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
};
const pod = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  volumes: [{ name: 'v', emptyDir: {} }],
  containers: [container],
};

test('a pod that restricted admits has no problem', () => {
  expect(restrictedProblems(pod)).toEqual([]);
});

test('each thing that restricted refuses is named', () => {
  const broken = (change: object): readonly string[] => restrictedProblems({ ...pod, ...change });
  expect(broken({ hostPID: true })).toEqual(['hostPID']);
  expect(broken({ volumes: [{ name: 'v', hostPath: { path: '/' } }] })).toEqual(['a volume of kind hostPath']);
  expect(broken({ securityContext: {} })).toEqual(['a may run as root', 'a has no seccomp profile']);
  const own = (securityContext: object): object => ({
    containers: [{ ...container, securityContext: { ...container.securityContext, ...securityContext } }],
  });
  expect(broken(own({ allowPrivilegeEscalation: true }))).toEqual(['a may escalate']);
  expect(broken(own({ capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } }))).toEqual(['a adds capabilities']);
  expect(broken(own({ capabilities: {} }))).toEqual(['a keeps capabilities']);
  expect(broken(own({ privileged: true }))).toEqual(['a is privileged']);
  expect(broken(own({ runAsUser: 0 }))).toEqual(['a runs as root']);
  expect(broken({ containers: [{ ...container, ports: [{ hostPort: 1 }] }] })).toEqual(['a has a host port']);
});

test('containers that run first are judged as well', () => {
  expect(restrictedProblems({ ...pod, initContainers: [{ name: 'first' }] })).toEqual([
    ...['first may escalate', 'first keeps capabilities'],
  ]);
});
