import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, messageOf } from '@neural-hive/security/common';
import { type SpiffeBundle, SpiffeId } from '@neural-hive/security/spiffe';
import { type CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '@neural-hive/security/testing';
import { AuthorityError } from '../authority-error.ts';
import type { ResolvedConfig } from '../config.ts';
import { invalid } from '../fault.ts';
import type { StateSection } from '../state/journal.ts';
import { AuthorityCommands } from './authority-commands.ts';
import { type SvidAuthority, TrustDomainAuthorities } from './trust-domain-authorities.ts';

type SpiffeSettings = Pick<
  ResolvedConfig,
  'trustDomain' | 'issuer' | 'x509TtlSeconds' | 'jwtTtlSeconds' | 'authorityTtlSeconds' | 'workloads'
>;

export interface SpiffeAuthorityOptions {
  readonly settings: SpiffeSettings;
  readonly clock: Clock;
  /** Resolves when what `save()` returned is on the disk. */
  readonly commit: () => Promise<void>;
}

/** Of the life of an authority, a sixth lies between the activation of the next one and its own end. */
const SVIDS_PER_AUTHORITY = 6;

/** The trust domain's authorities, whose keys are kept, and one Workload API socket for each workload. */
export class SpiffeAuthority implements StateSection {
  /** Shows and replaces the authorities. */
  readonly commands: AuthorityCommands;
  readonly #settings: SpiffeSettings;
  readonly #authorities: TrustDomainAuthorities;
  readonly #issuer: WorkloadIssuer;
  readonly #servers: WorkloadApiServer[] = [];

  private constructor({ settings, clock }: SpiffeAuthorityOptions, authorities: TrustDomainAuthorities) {
    const { issuer, x509TtlSeconds, jwtTtlSeconds } = settings;
    // The issuer and its servers call nothing of an authority but this.
    const authority = authorities as SvidAuthority as CertificateAuthority;
    const workloads = new WorkloadIssuer({ authority, issuer, x509TtlSeconds, jwtTtlSeconds, clock });
    // Federated bundles that are set anew, the same or not, have every open stream sent what is true now.
    authorities.onChange(() => workloads.setFederatedBundles(workloads.federated));
    this.#settings = settings;
    this.#authorities = authorities;
    this.#issuer = workloads;
    this.commands = new AuthorityCommands({ authorities, clock, renewX509: () => void workloads.rotateX509() });
  }

  /** @throws AuthorityError `config_invalid` */
  static create(options: SpiffeAuthorityOptions, saved: unknown): SpiffeAuthority {
    const { settings, clock, commit } = options;
    const { trustDomain, x509TtlSeconds, jwtTtlSeconds, authorityTtlSeconds: ttlSeconds } = settings;
    const state = saved as { readonly trustDomain: string } | undefined;
    if (state !== undefined && state.trustDomain !== trustDomain) {
      throw new AuthorityError(
        'config_invalid',
        `trustDomain: the state is that of ${state.trustDomain}, use another stateFolder`,
      );
    }
    if (ttlSeconds < SVIDS_PER_AUTHORITY * Math.max(x509TtlSeconds, jwtTtlSeconds)) {
      throw new AuthorityError(
        'config_invalid',
        `authorityTtlSeconds: must be at least ${SVIDS_PER_AUTHORITY} times the life of an SVID`,
      );
    }
    for (const { spiffeId } of settings.workloads) assertMember(spiffeId, trustDomain);
    const svidTtlSeconds = { x509: x509TtlSeconds, jwt: jwtTtlSeconds };
    const authorities = TrustDomainAuthorities.create(
      { trustDomain, ttlSeconds, svidTtlSeconds, clock, commit },
      saved,
    );
    return new SpiffeAuthority(options, authorities);
  }

  /** Opens the sockets, one after another: the mask that guards their making is the whole process's. */
  async listen(): Promise<void> {
    for (const { socketPath, spiffeId, mode, uid, gid } of this.#settings.workloads) {
      // Others may pass through to their own socket and not list it.
      await mkdir(dirname(socketPath), { recursive: true, mode: 0o711 });
      const server = await WorkloadApiServer.listen({
        issuer: this.#issuer,
        path: socketPath,
        ids: [spiffeId],
        ...(mode === undefined ? {} : { mode }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      });
      this.#servers.push(server);
    }
    this.#authorities.start();
  }

  /** The JWK set that verifies its JWT-SVIDs. */
  jwks(): Uint8Array {
    return this.#authorities.jwks();
  }

  /** Certificates that X509-SVIDs are verified with. */
  get bundlePem(): string {
    return this.#authorities.bundlePem;
  }

  /** What other trust domains verify its SVIDs with. */
  spiffeBundle(): SpiffeBundle {
    return this.#authorities.spiffeBundle();
  }

  /** New X509-SVIDs now, pushed to whoever watches. Returns how many; without an id, all that were ever asked for. */
  rotateX509(spiffeId?: string): number {
    if (spiffeId !== undefined && !this.#settings.workloads.some((workload) => workload.spiffeId === spiffeId)) {
      throw invalid('spiffe_id is that of no workload of this authority');
    }
    return this.#issuer.rotateX509(spiffeId);
  }

  async close(): Promise<void> {
    await this.#authorities.close();
    for (const server of this.#servers.splice(0)) await server.close();
    this.#issuer.close();
  }

  save(): unknown {
    return this.#authorities.save();
  }
}

function assertMember(spiffeId: string, trustDomain: string): void {
  let id: SpiffeId;
  try {
    id = SpiffeId.parse(spiffeId);
  } catch (cause) {
    throw new AuthorityError('config_invalid', `workloads: ${messageOf(cause)}`, { cause });
  }
  if (id.trustDomain.name !== trustDomain) {
    throw new AuthorityError('config_invalid', `workloads: ${spiffeId} is not a member of trust domain ${trustDomain}`);
  }
}
