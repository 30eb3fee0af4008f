import { deepEqual, equal, ok } from 'node:assert/strict';
import { AGENT_SOCKET, AUDIENCES, SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import type { Rule } from '../../rule.ts';
import { CONTAINER, environmentOf, ofDeployment, POD } from '../pods.ts';
import type { ServiceName } from '../service-charts.ts';

/** How a service gets its identity. */
export function identityRules(name: ServiceName, settings: 'all' | 'socket'): readonly Rule[] {
  const pod = ofDeployment(name);
  return [
    {
      id: `${name}-identity`,
      what: 'the agent’s socket comes as a folder of the CSI driver, which no privilege is needed for',
      assert: (manifests) => {
        deepEqual(manifests.at('Deployment', name, `${POD}.volumes.name=spire-agent-socket`), {
          ...{ name: 'spire-agent-socket', csi: { driver: 'csi.spiffe.io', readOnly: true } },
        });
        const folder = AGENT_SOCKET.slice(0, AGENT_SOCKET.lastIndexOf('/'));
        deepEqual(manifests.at('Deployment', name, `${CONTAINER}.volumeMounts.name=spire-agent-socket`), {
          ...{ name: 'spire-agent-socket', mountPath: folder, readOnly: true },
        });
        const environment = environmentOf(manifests.at('Deployment', name, CONTAINER));
        equal(environment.SPIFFE_ENDPOINT_SOCKET, `unix://${AGENT_SOCKET}`);
        if (settings === 'socket') return;
        equal(environment.SPIFFE_TRUST_DOMAIN, TRUST_DOMAIN);
        equal(environment.SPIFFE_ISSUER, SPIFFE_ISSUER);
      },
      mutations: [
        pod.without(`${POD}.volumes.name=spire-agent-socket`),
        pod.changed(`${POD}.volumes.name=spire-agent-socket.csi.driver`, 'other'),
        pod.changed(`${CONTAINER}.volumeMounts.name=spire-agent-socket.mountPath`, AGENT_SOCKET),
        pod.without(`${CONTAINER}.env.name=SPIFFE_ENDPOINT_SOCKET`),
        ...(settings === 'socket'
          ? []
          : [pod.changed(`${CONTAINER}.env.name=SPIFFE_TRUST_DOMAIN.value`, 'example.org')]),
      ],
    },
    {
      id: `${name}-fallback`,
      what: 'nothing in the environment switches a check off or brings an identity of its own',
      assert: (manifests) => {
        const environment = environmentOf(manifests.at('Deployment', name, CONTAINER));
        equal(environment.NODE_ENV, 'production');
        equal(environment.ENVIRONMENT, 'production');
        for (const variable of Object.keys(environment)) {
          ok(!/FALLBACK|FAIL_OPEN|ENABLED?$|_TLS_VERIFY$|PASSWORD|SECRET_ID|_TOKEN$|_KEY$/.test(variable), variable);
        }
      },
      mutations: [
        pod.without(`${CONTAINER}.env.name=NODE_ENV`),
        pod.changed(`${CONTAINER}.env.name=ENVIRONMENT.value`, 'development'),
        pod.changed(`${CONTAINER}.env.0.name`, 'VAULT_FAIL_OPEN'),
        pod.changed(`${CONTAINER}.env.0.name`, 'POSTGRES_PASSWORD'),
      ],
    },
  ];
}

/** How a service logs in to Vault by itself. */
export function vaultRules(name: ServiceName): readonly Rule[] {
  const pod = ofDeployment(name);
  return [
    {
      id: `${name}-vault`,
      what: 'the process logs in with a token of its account that lives for an hour and is good for Vault only',
      assert: (manifests) => {
        deepEqual(manifests.at('Deployment', name, `${POD}.volumes.name=vault-token.projected.sources`), [
          { serviceAccountToken: { audience: AUDIENCES.vault, expirationSeconds: 3600, path: 'token' } },
        ]);
        const folder = manifests.at('Deployment', name, `${CONTAINER}.volumeMounts.name=vault-token.mountPath`);
        const environment = environmentOf(manifests.at('Deployment', name, CONTAINER));
        equal(environment.VAULT_TOKEN_PATH, `${folder}/token`);
        equal(environment.VAULT_AUTH_METHOD, 'kubernetes');
        equal(environment.VAULT_KUBERNETES_ROLE, name);
        equal(environment.VAULT_JWT_AUDIENCE, AUDIENCES.vault);
      },
      mutations: [
        pod.without(`${POD}.volumes.name=vault-token`),
        pod.without(`${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`),
        pod.changed(
          `${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.expirationSeconds`,
          86_400,
        ),
        pod.changed(`${CONTAINER}.volumeMounts.name=vault-token.mountPath`, '/elsewhere'),
        pod.changed(`${CONTAINER}.env.name=VAULT_KUBERNETES_ROLE.value`, 'operator'),
      ],
    },
    {
      id: `${name}-vault-tls`,
      what: 'Vault is spoken to over TLS and known by an authority that is mounted',
      assert: (manifests) => {
        const environment = environmentOf(manifests.at('Deployment', name, CONTAINER));
        ok(environment.VAULT_ADDRESS?.startsWith('https://'), environment.VAULT_ADDRESS);
        const folder = manifests.at('Deployment', name, `${CONTAINER}.volumeMounts.name=vault-ca.mountPath`);
        equal(environment.VAULT_CA_BUNDLE, `${folder}/ca.crt`);
        deepEqual(manifests.at('Deployment', name, `${POD}.volumes.name=vault-ca.configMap`), {
          ...{ name: 'vault-ca', items: [{ key: 'ca.crt', path: 'ca.crt' }] },
        });
      },
      mutations: [
        pod.changed(`${CONTAINER}.env.name=VAULT_ADDRESS.value`, 'http://vault:8200'),
        pod.without(`${CONTAINER}.env.name=VAULT_CA_BUNDLE`),
        pod.without(`${POD}.volumes.name=vault-ca`),
        pod.without(`${CONTAINER}.volumeMounts.name=vault-ca`),
      ],
    },
    {
      id: `${name}-leases`,
      what: 'what was leased before a crash is known after it',
      assert: (manifests) => {
        deepEqual(manifests.at('Deployment', name, `${POD}.volumes.name=leases`), {
          ...{ name: 'leases', emptyDir: { sizeLimit: '16Mi' } },
        });
        const folder = manifests.at('Deployment', name, `${CONTAINER}.volumeMounts.name=leases.mountPath`);
        const { VAULT_LEASE_JOURNAL_PATH = '' } = environmentOf(manifests.at('Deployment', name, CONTAINER));
        // A folder below the volume: the process keeps it to itself, which the volume's group could not.
        ok(VAULT_LEASE_JOURNAL_PATH.startsWith(`${folder}/`), VAULT_LEASE_JOURNAL_PATH);
      },
      mutations: [
        pod.without(`${POD}.volumes.name=leases`),
        pod.changed(`${CONTAINER}.volumeMounts.name=leases.mountPath`, '/tmp'),
        pod.without(`${CONTAINER}.env.name=VAULT_LEASE_JOURNAL_PATH`),
      ],
    },
  ];
}
