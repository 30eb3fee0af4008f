/**
 * What kwok does in place of kubelets, as its `Stage` resources: nodes become ready, pods run as soon as they are scheduled,
 * pods that are not to be restarted (those of Jobs, and Helm's tests) complete at once, and pods to be deleted go.
 */

interface Expression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

function stage(name: string, kind: 'Node' | 'Pod', matchExpressions: readonly Expression[], next: object): object {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: { resourceRef: { apiGroup: 'v1', kind }, selector: { matchExpressions }, next },
  };
}

const READY = '.status.conditions.[] | select( .type == "Ready" ) | .status';

const NODE_STATUS = `
{{ $now := Now }}
phase: Running
addresses:
- { type: InternalIP, address: {{ NodeIP | Quote }} }
- { type: Hostname, address: {{ NodeName | Quote }} }
allocatable: { cpu: "16", memory: 64Gi, pods: "110", ephemeral-storage: 100Gi }
capacity: { cpu: "16", memory: 64Gi, pods: "110", ephemeral-storage: 100Gi }
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
nodeInfo:
  architecture: amd64
  operatingSystem: linux
  osImage: kwok
  bootID: ""
  machineID: ""
  systemUUID: ""
  kernelVersion: kwok
  kubeletVersion: kwok
  kubeProxyVersion: kwok
  containerRuntimeVersion: kwok
`;

const CONDITIONS = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'];

const RUNNING_STATUS = `
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
conditions:
${CONDITIONS.map((type) => `- { type: ${type}, status: "True", lastTransitionTime: {{ $now | Quote }} }`).join('\n')}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  started: true
  restartCount: 0
  state: { running: { startedAt: {{ $now | Quote }} } }
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
  state:
    {{ if eq .restartPolicy "Always" }}
    running: { startedAt: {{ $now | Quote }} }
    {{ else }}
    terminated: { exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }} }
    {{ end }}
{{ end }}
{{ with NodeIPWith .spec.nodeName }}
hostIP: {{ . | Quote }}
{{ end }}
{{ with PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}
podIP: {{ . | Quote }}
podIPs: [{ ip: {{ . | Quote }} }]
{{ end }}
`;

const COMPLETED_STATUS = `
{{ $now := Now }}
phase: Succeeded
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    terminated: { exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }} }
{{ end }}
`;

const EXISTS: Expression = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const phase = (value: string): Expression => ({ key: '.status.phase', operator: 'In', values: [value] });

const STAGES = [
  stage('node-ready', 'Node', [{ key: READY, operator: 'NotIn', values: ['True'] }], { statusTemplate: NODE_STATUS }),
  stage('pod-running', 'Pod', [EXISTS, phase('Pending')], { statusTemplate: RUNNING_STATUS }),
  stage(
    'pod-completed',
    'Pod',
    [EXISTS, phase('Running'), { key: '.spec.restartPolicy', operator: 'NotIn', values: ['Always'] }],
    { statusTemplate: COMPLETED_STATUS },
  ),
  stage('pod-gone', 'Pod', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], { delete: true }),
];

/** The configuration file of kwok: documents of YAML, each of which is JSON. */
export const KWOK_CONFIGURATION = STAGES.map((document) => `---\n${JSON.stringify(document)}\n`).join('');
