import { join } from 'node:path';
import { AuthorityControl } from '../client/authority-control.ts';
import { startAuthority, workloadSocket } from './authority.ts';
import { countOpenLeases } from './leftovers.ts';
import type { Profile, ProfileOptions, ServiceProgram, Surroundings } from './profile.ts';

/** Everything on this machine from this repository: the dev authority serves secrets and identities. */
export const embeddedProfile: Profile = {
  name: 'embedded',
  servers: 'the dev authority',
  durable: true,
  check: async () => undefined,
  start: startEmbedded,
};

async function startEmbedded({ home, ports, ...options }: ProfileOptions): Promise<Surroundings> {
  const authority = await startAuthority({ ...options, home, port: ports.vault });
  const control = new AuthorityControl(authority.controlSocket);
  const services: Readonly<Record<ServiceProgram, Readonly<Record<string, string>>>> = {
    'orchestrator-dynamic': { VAULT_AUTH_METHOD: 'jwt' },
    'worker-agents': { VAULT_AUTH_METHOD: 'jwt' },
    'service-registry': { REGISTRY_JOURNAL_FILE: join(home.registry, 'agents.journal') },
  };
  return {
    adapters: {
      secrets: 'dev authority',
      login: 'JWT-SVID',
      identity: 'dev authority, one socket for each workload',
      workflow: 'reducer over PostgreSQL',
      tickets: 'rows of PostgreSQL',
      plans: 'PostgreSQL',
      registry: 'memory, with a journal',
    },
    address: authority.address,
    rootToken: authority.rootToken,
    setup: { jwt: { provider: 'spiffe' } },
    workloadSocket: (workload) => workloadSocket(home, workload),
    environment: (service) => services[service],
    rotateX509: (spiffeId) => control.rotateX509(spiffeId),
    countLeftovers: async () => ({ leases: countOpenLeases(authority.auditFile) }),
    async close() {
      await control.close();
      await authority.process.stop();
    },
  };
}
