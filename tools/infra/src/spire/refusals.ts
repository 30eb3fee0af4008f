import type { Rendering } from './renderings.ts';

/** Values that must not render, and what the reader is told: the value's name and what to do. */
export interface Refusal {
  readonly what: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Default `prod`. */
  readonly over?: Rendering;
  readonly says: readonly string[];
}

const federatesWith = { 'other.test': { url: 'https://b.other.test', profile: 'https_spiffe' } };

export const REFUSALS: readonly Refusal[] = [
  {
    what: 'an example trust domain',
    values: { trustDomain: 'example.org' },
    says: ['trustDomain=example.org', 'set a name'],
  },
  {
    what: 'one given to all charts',
    values: { global: { trustDomain: 'td.example.com' } },
    says: ['trustDomain=td.example.com'],
  },
  {
    what: 'an example cluster',
    values: { clusterName: 'example-cluster' },
    says: ['clusterName=example-cluster', 'set the name'],
  },
  {
    what: 'sqlite with three servers',
    values: { database: { type: 'sqlite3' } },
    says: ['server.replicas=3 with database.type=sqlite3', 'set database.type=postgres, or server.replicas=1'],
  },
  {
    what: 'sqlite on nothing',
    over: 'dev',
    values: { server: { persistence: { enabled: false } } },
    says: ['server.persistence.enabled=false', 'set server.persistence.enabled=true'],
  },
  { what: 'no database', values: { database: { host: '' } }, says: ['database.host is missing', 'set the address'] },
  {
    what: 'an unverified database',
    values: { database: { sslMode: 'require' } },
    says: ['database.sslMode=require', 'set verify-full'],
  },
  {
    what: 'more connections than the database has',
    values: { database: { maxOpenConnections: 70 } },
    says: ['database.maxOpenConnections=70', 'server.replicas=3 is 210', 'database.maxConnections=200'],
  },
  {
    what: 'more idle connections than open ones',
    values: { database: { maxIdleConnections: 50 } },
    says: ['database.maxIdleConnections=50', 'set it to that or less'],
  },
  {
    what: 'an authority that ends too early',
    values: { server: { ca: { ttl: '5h' } } },
    says: ['server.ca.ttl=5h', 'server.svidTtl.x509=1h', 'set server.ca.ttl higher'],
  },
  {
    what: 'a token that outlives certificates',
    values: { server: { svidTtl: { jwt: '2h' } } },
    says: ['server.svidTtl.jwt=2h', 'set it shorter'],
  },
  {
    what: 'a target that agents refuse',
    values: { agent: { availabilityTarget: '12h' } },
    says: ['agent.availabilityTarget=12h', 'set it to 24h or more'],
  },
  {
    what: 'keys on a disk that is not kept',
    values: { server: { keyManager: { type: 'disk' }, persistence: { enabled: false } } },
    says: ['server.keyManager.type=disk', 'set server.persistence.enabled=true, or server.keyManager.type=awsKms'],
  },
  {
    what: 'KMS nowhere',
    values: { server: { keyManager: { awsKms: { region: '' } } } },
    says: ['server.keyManager.awsKms.region is missing', 'set the region'],
  },
  {
    what: 'keys in memory',
    values: { server: { keyManager: { type: 'memory' } } },
    says: ['server.keyManager.type=memory', 'set disk or awsKms'],
  },
  {
    what: 'Vault in the clear',
    over: 'full',
    values: { server: { upstreamAuthority: { vault: { address: 'http://vault:8200' } } } },
    says: ['server.upstreamAuthority.vault.address="http://vault:8200"', "set Vault's"],
  },
  {
    what: 'Vault unverified',
    over: 'full',
    values: { server: { upstreamAuthority: { vault: { caSecret: { name: '' } } } } },
    says: ['server.upstreamAuthority.vault.caSecret.name is missing', 'set the Secret'],
  },
  {
    what: 'a foreign bundle from nobody',
    values: { server: { federation: { federatesWith } } },
    says: ['server.federation.federatesWith.other.test.endpointSpiffeId is missing', 'profile=https_web'],
  },
  {
    what: 'a bundle endpoint for nobody',
    over: 'full',
    values: { server: { federation: { bundleEndpoint: { allowedCidrs: [] } } } },
    says: ['bundleEndpoint.allowedCidrs is missing', 'set who may read'],
  },
  {
    what: 'one server',
    values: { server: { replicas: 1 } },
    says: ['server.replicas=1 with profile=prod', 'set 2 or more'],
  },
  {
    what: 'a kubelet at a pod’s localhost',
    values: { agent: { kubelet: { address: 'localhost' } } },
    says: ['agent.kubelet.address=localhost', 'set agent.hostNetwork=true'],
  },
  {
    what: 'an unverified kubelet',
    values: { agent: { kubelet: { verification: 'skip' } } },
    says: ['agent.kubelet.verification=skip', 'set apiServerCa or hostCert'],
  },
  {
    what: 'an agent that believes anybody',
    values: { agent: { insecureBootstrap: true } },
    says: ['agent.insecureBootstrap=true', 'set false'],
  },
  {
    what: 'one port twice on a node',
    over: 'hostNetwork',
    values: { agent: { ports: { health: 9988 } } },
    says: ['agent.ports.health and agent.ports.metrics are both 9988'],
  },
  {
    what: 'an identity twice',
    values: {
      entries: {
        workloads: [
          { namespace: 'a', serviceAccount: 'b' },
          { namespace: 'a', serviceAccount: 'b' },
        ],
      },
    },
    says: ['entries.workloads has a/b twice', 'take one out'],
  },
  {
    what: 'policies without nodes',
    values: { networkPolicy: { nodeCidrs: [] } },
    says: ['networkPolicy.nodeCidrs is missing', 'set the range'],
  },
  {
    what: 'policies without the API server',
    values: { networkPolicy: { apiServer: { cidrs: [] } } },
    says: ['networkPolicy.apiServer.cidrs is missing'],
  },
  {
    what: 'policies without the database',
    values: { networkPolicy: { databaseCidrs: [] } },
    says: ['networkPolicy.databaseCidrs and networkPolicy.databasePeers are missing'],
  },
  {
    what: 'policies without KMS',
    values: { networkPolicy: { awsCidrs: [] } },
    says: ['networkPolicy.awsCidrs is missing'],
  },
  {
    what: 'policies without the partners',
    over: 'full',
    values: { networkPolicy: { federationCidrs: [] } },
    says: ['networkPolicy.federationCidrs is missing', 'set where the bundle endpoints'],
  },
  {
    what: 'keys of tokens in the clear',
    values: { oidc: { tls: { mode: 'none' } } },
    says: ['oidc.tls.mode=none', 'set certManager or secret'],
  },
  {
    what: 'a certificate from nobody',
    values: { oidc: { tls: { issuerRef: { name: '' } } } },
    says: ['oidc.tls.issuerRef.name is missing', 'oidc.tls.mode=secret'],
  },
  {
    what: 'a hostPath in a restricted namespace',
    values: { oidc: { socket: 'hostPath' } },
    says: ['oidc.socket=hostPath', 'set csi'],
  },
  // What the schema knows: helm names the value, and says what is allowed.
  { what: 'a misspelt value', values: { server: { replica: 3 } }, says: ['/server', "'replica'"] },
  { what: 'an unknown database', values: { database: { type: 'mysql' } }, says: ['/database/type', "'postgres'"] },
  {
    what: 'an unknown key manager',
    values: { server: { keyManager: { type: 'vault' } } },
    says: ['/server/keyManager/type', "'awsKms'"],
  },
  {
    what: 'an issuer with a slash at the end',
    values: { jwtIssuer: 'https://spire-oidc.neural-hive.local/' },
    says: ['/jwtIssuer', 'pattern'],
  },
  {
    what: 'an issuer without TLS',
    values: { jwtIssuer: 'http://spire-oidc.neural-hive.local' },
    says: ['/jwtIssuer', 'pattern'],
  },
  {
    what: 'a trust domain in capitals',
    values: { trustDomain: 'Neural-Hive.local' },
    says: ['/trustDomain', 'pattern'],
  },
  { what: 'no trust domain', values: { trustDomain: '' }, says: ['/trustDomain', 'pattern'] },
  { what: 'a duration without a unit', values: { server: { ca: { ttl: '24' } } }, says: ['/server/ca/ttl', 'pattern'] },
  {
    what: 'a text that would end a connection string',
    values: { database: { host: 'db sslmode=disable' } },
    says: ['/database/host', 'pattern'],
  },
  { what: 'no servers', values: { server: { replicas: 0 } }, says: ['/server/replicas', 'minimum'] },
  {
    what: 'a role that is no ARN',
    values: { server: { serviceAccount: { roleArn: 'spire' } } },
    says: ['/server/serviceAccount/roleArn', 'pattern'],
  },
  {
    what: 'a range that is none',
    values: { networkPolicy: { nodeCidrs: ['10.0.0.0'] } },
    says: ['/networkPolicy/nodeCidrs/0', 'pattern'],
  },
  { what: 'a profile that is none', values: { profile: 'production' }, says: ['/profile', "'prod'"] },
];
