import { join } from 'node:path';
import { SPIFFE_IDS, SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import { SPIRE_VERSION, type SpireEntry, startSpire } from '@neural-hive/real-stack';
import { X509Source } from '@neural-hive/security/spiffe';
import type { Home } from '../home.ts';
import type { ServiceUsers } from '../users.ts';

/** Short, so that a run shows due rotations, and twice as long as a poll of Temporal may hold an old one. In seconds. */
const X509_TTL_SECONDS = 200;
const JWT_TTL_SECONDS = 60;

export interface Identities {
  readonly version: string;
  /** The agent's socket: one for all, who asks is told by the uid. */
  readonly socket: string;
  /** The authorities of X509-SVIDs at the start. PEM. */
  readonly authorities: string;
  /** Where the keys of JWT-SVIDs are published. */
  readonly jwks: { readonly url: string; readonly ca: string };
  /** @throws TypeError for a workload that has no entry */
  rotateX509(spiffeId: string): Promise<void>;
  close(): Promise<void>;
}

export interface StartIdentitiesOptions {
  readonly home: Home;
  readonly users: ServiceUsers;
  /** The folder with SPIRE's programs. */
  readonly binaries: string;
  readonly log: (line: string) => void;
}

/** Who is who: the unix attestor tells a process by its uid, and each service has one that nobody shares. */
function entriesOf(users: ServiceUsers): readonly SpireEntry[] {
  const entry = (id: string, uid: number): SpireEntry => ({
    id,
    selectors: [`unix:uid:${uid}`],
    x509TtlSeconds: X509_TTL_SECONDS,
    jwtTtlSeconds: JWT_TTL_SECONDS,
  });
  return [
    entry(SPIFFE_IDS.orchestrator, users.orchestrator),
    entry(SPIFFE_IDS.worker, users.worker),
    entry(SPIFFE_IDS.registry, users.registry),
    // Last: who waits for it knows that the agent has learnt of the others.
    entry(SPIFFE_IDS.operator, process.getuid?.() ?? 0),
  ];
}

/** Starts SPIRE's server, agent and OIDC provider, with an entry for each service and for the operator. */
export async function startIdentities({ home, users, binaries, log }: StartIdentitiesOptions): Promise<Identities> {
  const socket = join(home.run, 'spire', 'agent.sock');
  const spire = await startSpire({
    trustDomain: TRUST_DOMAIN,
    jwtIssuer: SPIFFE_ISSUER,
    oidc: true,
    agentSocket: socket,
    ...{ binaries, log },
  });
  try {
    const entries = new Map<string, { readonly id: string; readonly entry: SpireEntry }>();
    for (const entry of entriesOf(users)) entries.set(entry.id, { id: await spire.createEntry(entry), entry });
    await (await X509Source.open({ endpoint: spire.endpoint })).close();
    return {
      version: SPIRE_VERSION,
      socket,
      authorities: await spire.server.bundle('pem'),
      jwks: { url: `${spire.oidc?.address}/keys`, ca: spire.oidc?.ca ?? '' },
      async rotateX509(spiffeId) {
        const known = entries.get(spiffeId);
        if (known === undefined) throw new TypeError(`SPIRE has no entry for ${spiffeId}`);
        await spire.updateEntry(known.id, known.entry);
      },
      close: () => spire.stop(),
    };
  } catch (error) {
    await spire.stop();
    throw error;
  }
}
