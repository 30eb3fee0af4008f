import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MotoServer } from '@neural-hive/real-stack';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { addressOf, findPlaces, type Place } from './loopback.ts';
import { type Answer, Server } from './server.ts';

export interface VaultClusterOptions {
  readonly manifests: Manifests;
  readonly program: string;
  readonly kms: MotoServer;
  readonly log: (line: string) => void;
  /** How many of the rendered servers there are. Default: as many as the StatefulSet has. */
  readonly servers?: number;
  /** Default: one of this cluster's own. */
  readonly auditFolder?: string;
}

const DAY_SECONDS = 86_400;
const POLL_MS = 200;

/** The rendered servers on this machine, with the certificate that the chart asks cert-manager for. */
export class VaultCluster implements AsyncDisposable {
  readonly servers: readonly Server[];
  readonly places: readonly Place[];
  readonly ca: string;
  readonly #folder: string;
  readonly #authority: CertificateAuthority;
  readonly #manifests: Manifests;

  private constructor(options: VaultClusterOptions, folder: string, places: readonly Place[]) {
    const { manifests, program, kms, log } = options;
    this.#folder = folder;
    this.#manifests = manifests;
    this.#authority = CertificateAuthority.create('vault.test');
    this.ca = this.#authority.certificatePem;
    this.places = places;
    this.servers = places.map((place) => new Server({ manifests, place, places, program, kms, ca: this.ca, log }));
    for (const server of this.servers) this.issueCertificate(server);
  }

  /** Nothing runs yet. */
  static async prepare(options: VaultClusterOptions): Promise<VaultCluster> {
    const replicas = options.servers ?? Number(options.manifests.at('StatefulSet', 'vault', 'spec.replicas'));
    const folder = mkdtempSync(join(tmpdir(), 'vault-chart-'));
    const names = Array.from({ length: replicas }, (_, ordinal) => `vault-${ordinal}`);
    const { auditFolder = join(folder, 'audit') } = options;
    return new VaultCluster(options, folder, await findPlaces(names, folder, auditFolder));
  }

  get first(): Server {
    const [first] = this.servers;
    if (first === undefined) throw new RangeError('a cluster has at least one server');
    return first;
  }

  /** With the names and addresses of the rendered Certificate. Returns its serial number as Node shows it. */
  issueCertificate({ place }: Server): void {
    const certificate = this.#manifests.get('Certificate', 'vault-tls');
    const issued = this.#authority.issueTlsCertificate({
      dnsNames: listAt(certificate, 'spec.dnsNames').map(String),
      ipAddresses: listAt(certificate, 'spec.ipAddresses').map(String),
      ttlSeconds: DAY_SECONDS,
    });
    const write = (name: string, content: string | Buffer): void =>
      writeFileSync(join(place.folder, 'tls', name), content, { mode: 0o600 });
    write('tls.key', issued.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    write('tls.crt', issued.certificateChainPem);
    write('ca.crt', this.ca);
  }

  /** The server that leads, or undefined. */
  async leader(): Promise<Server | undefined> {
    for (const server of this.servers) {
      if ((await server.ask('/v1/sys/health'))?.status === 200) return server;
    }
    return undefined;
  }

  /** A call with a body, or with another method than GET, at one server. */
  call(
    server: Server,
    path: string,
    options: { method?: string; token?: string; body?: unknown } = {},
  ): Promise<Answer> {
    const { method = 'PUT', token, body } = options;
    const headers = token === undefined ? {} : { 'x-vault-token': token };
    return new Promise((resolve, reject) => {
      const call = { ca: this.ca, agent: false, timeout: 60_000, method, headers } as const;
      const outgoing = request(`${addressOf(server.place)}${path}`, call, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${path}: no answer`)));
      outgoing.on('error', reject);
      outgoing.end(Buffer.isBuffer(body) ? body : body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Waits until it gives something. @throws Error with what was waited for */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  limitMs = 120_000,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`${what}: not within ${limitMs / 1_000} s`);
    await delay(POLL_MS);
  }
}

export function jsonOf({ text }: Answer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The Raft peers that vote, as the leader names them. */
export async function voters(server: Server, token: string): Promise<readonly string[]> {
  const answer = await server.ask('/v1/sys/storage/raft/configuration', { token });
  const servers = answer === undefined ? [] : listAt(jsonOf(answer), 'data.config.servers');
  return servers.filter((peer) => at(peer, 'voter') === true).map((peer) => String(at(peer, 'node_id')));
}
