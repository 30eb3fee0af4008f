import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, messageOf } from '@neural-hive/security/common';
import { SpiffeId } from '@neural-hive/security/spiffe';
import {
  CertificateAuthority,
  type CertificateAuthorityState,
  WorkloadApiServer,
  WorkloadIssuer,
} from '@neural-hive/security/testing';
import { AuthorityError } from '../authority-error.ts';
import type { ResolvedConfig } from '../config.ts';
import { invalid } from '../fault.ts';
import type { StateSection } from '../state/journal.ts';

type SpiffeSettings = Pick<ResolvedConfig, 'trustDomain' | 'issuer' | 'x509TtlSeconds' | 'jwtTtlSeconds' | 'workloads'>;

/** The trust domain's authority, whose keys are kept, and one Workload API socket for each workload. */
export class SpiffeAuthority implements StateSection {
  readonly #settings: SpiffeSettings;
  readonly #issuer: WorkloadIssuer;
  readonly #servers: WorkloadApiServer[] = [];

  private constructor(settings: SpiffeSettings, issuer: WorkloadIssuer) {
    this.#settings = settings;
    this.#issuer = issuer;
  }

  static create(settings: SpiffeSettings, clock: Clock, saved: unknown): SpiffeAuthority {
    const { trustDomain, issuer, x509TtlSeconds, jwtTtlSeconds } = settings;
    const state = saved as CertificateAuthorityState | undefined;
    if (state !== undefined && state.trustDomain !== trustDomain) {
      throw new AuthorityError(
        'config_invalid',
        `trustDomain: the state is that of ${state.trustDomain}, use another stateFolder`,
      );
    }
    for (const { spiffeId } of settings.workloads) assertMember(spiffeId, trustDomain);
    const authority =
      state === undefined
        ? CertificateAuthority.create(trustDomain, { clock })
        : CertificateAuthority.import(state, { clock });
    return new SpiffeAuthority(
      settings,
      new WorkloadIssuer({ authority, issuer, x509TtlSeconds, jwtTtlSeconds, clock }),
    );
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
  }

  /** The JWK set that verifies its JWT-SVIDs. */
  jwks(): Uint8Array {
    return this.#issuer.authority.jwks();
  }

  /** Certificates that X509-SVIDs are verified with. */
  get bundlePem(): string {
    return this.#issuer.authority.rootPem;
  }

  /** New X509-SVIDs now, pushed to whoever watches. Returns how many; without an id, all that were ever asked for. */
  rotateX509(spiffeId?: string): number {
    if (spiffeId !== undefined && !this.#settings.workloads.some((workload) => workload.spiffeId === spiffeId)) {
      throw invalid('spiffe_id is that of no workload of this authority');
    }
    return this.#issuer.rotateX509(spiffeId);
  }

  async close(): Promise<void> {
    for (const server of this.#servers.splice(0)) await server.close();
    this.#issuer.close();
  }

  save(): unknown {
    return this.#issuer.authority.export();
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
