import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Interceptor } from '@grpc/grpc-js';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import { ServiceRegistryClient } from '@neural-hive/contracts/proto/service-registry';
import { jwtSvidInterceptor, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { matchId } from '@neural-hive/security/spiffe';
import { CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '@neural-hive/security/testing';
import { openIdentity, type ServiceIdentity } from '@neural-hive/service-runtime';

const MAIN = fileURLToPath(import.meta.resolve('@neural-hive/service-registry/main'));

/** Identities of the platform, and the registry as a process of its own, so that only the registry is measured. */
export class RegistryStage {
  /** For what a program writes; gone with the stage. */
  readonly folder: string;
  readonly #issuer: WorkloadIssuer;
  readonly #closing: (() => unknown)[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    const authority = CertificateAuthority.create(TRUST_DOMAIN);
    this.#issuer = new WorkloadIssuer({ authority, issuer: SPIFFE_ISSUER });
  }

  static async open(): Promise<RegistryStage> {
    return new RegistryStage(await mkdtemp(join(tmpdir(), 'bench-')));
  }

  async identityOf(id: string): Promise<ServiceIdentity> {
    const identity = await openIdentity({ endpoint: await this.endpointOf(id) });
    this.#closing.push(() => identity.close());
    return identity;
  }

  /** The registry with a journal, as a user starts it. */
  async startRegistry(): Promise<RegistryProcess> {
    const child = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        HIVE_PARENT_PIPE: '1',
        // Nobody sends heartbeats while something else is measured.
        HEARTBEAT_TIMEOUT_SECONDS: '3600',
        GRPC_PORT: '0',
        METRICS_PORT: '0',
        REGISTRY_JOURNAL_FILE: join(this.folder, 'journal'),
        SPIFFE_ENDPOINT_SOCKET: await this.endpointOf(SPIFFE_IDS.registry),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#closing.push(async () => {
      child.stdin.end();
      await ended(child);
    });
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      ended(child).then(() => [undefined]),
    ])) as [string | undefined];
    if (line === undefined) throw new Error('the registry ended before it was ready');
    const { grpcPort, metricsPort } = JSON.parse(line) as { grpcPort: number; metricsPort: number };
    return new RegistryProcess(grpcPort, metricsPort);
  }

  /** A client with an identity's certificate and, unless it is to call without one, its token. */
  async clientOf(id: string, port: number, { token = true } = {}): Promise<ServiceRegistryClient> {
    const { x509, jwt } = await this.identityOf(id);
    const interceptors: Interceptor[] = token ? [jwtSvidInterceptor(jwt, AUDIENCES.registry)] : [];
    const authorize = matchId(SPIFFE_IDS.registry);
    const credentials = spiffeChannelCredentials({ identity: x509, authorize });
    const client = new ServiceRegistryClient(`127.0.0.1:${port}`, credentials, { interceptors });
    this.#closing.push(() => client.close());
    return client;
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    this.#issuer.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Where the workload with this identity asks for its SVIDs. */
  async endpointOf(id: string): Promise<string> {
    const path = join(this.folder, `${this.#closing.length}.sock`);
    const agent = await WorkloadApiServer.listen({ issuer: this.#issuer, path, ids: [id] });
    this.#closing.push(() => agent.close());
    return agent.endpoint;
  }
}

function ended(child: ChildProcess): Promise<unknown> {
  return child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
}

/** A registry that runs, and what it costs. */
export class RegistryProcess {
  readonly port: number;
  readonly #metricsPort: number;

  constructor(port: number, metricsPort: number) {
    this.port = port;
    this.#metricsPort = metricsPort;
  }

  /** The CPU time it has used, in milliseconds, all its threads together. */
  async cpuMs(): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`);
    const seconds = /^process_cpu_seconds_total (\S+)$/m.exec(await response.text())?.[1];
    return Number(seconds) * 1_000;
  }
}
