import { generateKeyPairSync } from 'node:crypto';

/** Values over the production profile, for what is off in it. */
export const OPEN_BAO = { server: { product: 'openbao', version: '2.6.2' } } as const;

export const DIGESTS = {
  imagePullSecrets: [{ name: 'registry' }],
  server: { image: { repository: 'registry.example/vault', digest: `sha256:${'0'.repeat(64)}` } },
} as const;

function publicKey(): string {
  const { publicKey: key } = generateKeyPairSync('rsa', { modulusLength: 3072 });
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

export const FALLBACK = { init: { fallback: { publicKey: publicKey() } } } as const;

/** Everything that can be on together. */
export const ALL_FEATURES = {
  ...FALLBACK,
  bootstrap: {
    parametersSecret: 'vault-parameters',
    rerun: '1',
    parameters: { jwt: { jwksUrl: 'https://spire-oidc.spire.svc/keys' } },
  },
  aws: { webIdentity: 'projected', endpoints: { kms: 'https://kms.example', s3: 'https://s3.example' } },
  networkPolicy: {
    prometheus: { nodeCidrs: ['10.0.64.0/20'] },
    spireServer: { enabled: true },
    spireOidc: { enabled: true },
    databases: [{ name: 'postgres', cidrs: ['10.0.200.0/24'], port: 5432 }],
    extraClients: [{ name: 'tools', namespace: 'default' }],
  },
  server: {
    nodeSelector: { 'node.kubernetes.io/purpose': 'vault' },
    tolerations: [{ key: 'vault', operator: 'Exists' }],
    podAnnotations: { a: 'b' },
    podLabels: { team: 'security' },
    extraEnv: [{ name: 'GOMEMLIMIT', value: '1800MiB' }],
    extraVolumes: [{ name: 'plugins', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'plugins', mountPath: '/vault/plugins' }],
  },
  tls: { cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] },
  commonLabels: { team: 'security' },
} as const;
