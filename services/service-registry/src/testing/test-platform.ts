import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientOptions, type Interceptor, Metadata } from '@grpc/grpc-js';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import { ServiceRegistryClient } from '@neural-hive/contracts/proto/service-registry';
import { jwtSvidInterceptor, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { matchId } from '@neural-hive/security/spiffe';
import { CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '@neural-hive/security/testing';
import { openIdentity, type ServiceIdentity } from '@neural-hive/service-runtime';

/** A trust domain with one Workload API socket a workload, all real. */
export class TestPlatform {
  readonly authority: CertificateAuthority;
  readonly issuer: WorkloadIssuer;
  readonly folder: string;
  readonly #agents = new Map<string, Promise<WorkloadApiServer>>();
  readonly #closing: (() => unknown)[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.authority = CertificateAuthority.create(TRUST_DOMAIN);
    this.issuer = new WorkloadIssuer({ authority: this.authority, issuer: SPIFFE_ISSUER });
  }

  static async open(): Promise<TestPlatform> {
    return new TestPlatform(await mkdtemp(join(tmpdir(), 'nh-reg-')));
  }

  /** Where the workload with this identity asks for its SVIDs. */
  async endpointOf(id: string): Promise<string> {
    let agent = this.#agents.get(id);
    if (agent === undefined) {
      const path = join(this.folder, `${this.#agents.size}.sock`);
      agent = WorkloadApiServer.listen({ issuer: this.issuer, path, ids: [id] });
      this.#agents.set(id, agent);
    }
    return (await agent).endpoint;
  }

  async identityOf(id: string): Promise<ServiceIdentity> {
    const identity = await openIdentity({ endpoint: await this.endpointOf(id) });
    this.#closing.push(() => identity.close());
    return identity;
  }

  /** A client that connects as `id`; it sends its JWT-SVID, or what `authorization` says. */
  async clientOf(
    id: string,
    port: number,
    options: { authorization?: 'none' | 'own'; channel?: ClientOptions } = {},
  ): Promise<ServiceRegistryClient> {
    const { x509, jwt } = await this.identityOf(id);
    const interceptors: Interceptor[] =
      options.authorization === 'none' ? [] : [jwtSvidInterceptor(jwt, AUDIENCES.registry)];
    const client = new ServiceRegistryClient(
      `127.0.0.1:${port}`,
      spiffeChannelCredentials({ identity: x509, authorize: matchId(SPIFFE_IDS.registry) }),
      { interceptors, ...options.channel },
    );
    this.#closing.push(() => client.close());
    return client;
  }

  /** PEM of the keys that sign the JWT-SVIDs. */
  get jwtKeys(): readonly string[] {
    const { keys } = JSON.parse(Buffer.from(this.authority.jwks()).toString()) as { keys: JsonWebKey[] };
    return keys.map((key) =>
      createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString(),
    );
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    for (const agent of this.#agents.values()) await (await agent).close();
    this.issuer.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}
