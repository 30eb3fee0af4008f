import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { GuardedProcess, type MotoServer } from '@neural-hive/real-stack';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { POD, serverSet, VAULT } from '../server-pod.ts';
import { addressOf, containerArguments, localised, type Place } from './loopback.ts';

export interface ServerOptions {
  readonly manifests: Manifests;
  readonly place: Place;
  readonly places: readonly Place[];
  /** The `bao` program. */
  readonly program: string;
  readonly kms: MotoServer;
  readonly ca: string;
  readonly log: (line: string) => void;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const READY_LIMIT_MS = 120_000;

/** One server of the rendered StatefulSet: its configuration, its environment, its arguments, on this machine. */
export class Server {
  readonly place: Place;
  /** By this name its process is found among all of the machine. */
  readonly processName: string;
  readonly #options: ServerOptions;
  #process: GuardedProcess | undefined;

  constructor(options: ServerOptions) {
    const { place, places, manifests, program } = options;
    this.place = place;
    this.#options = options;
    // The kernel keeps fifteen characters of a name.
    this.processName = `bao-${place.api}`;
    const folders = ['data', 'config', 'tls', 'operations', 'scratch'].map((name) => join(place.folder, name));
    for (const folder of [...folders, place.auditFolder]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    symlinkSync(program, join(place.folder, this.processName));
    const text = String(manifests.at('ConfigMap', 'vault-config', ['data', 'vault.hcl']));
    writeFileSync(join(place.folder, 'config', 'vault.hcl'), localised(text, place, places));
  }

  get address(): string {
    return addressOf(this.place);
  }

  get lines(): readonly string[] {
    return this.#process?.lines ?? [];
  }

  /** The process as the container would start it. Resolves when it answers. */
  async start(): Promise<void> {
    const { manifests, place, places, kms, log } = this.#options;
    const container = at(serverSet(manifests), VAULT);
    const { args, env } = containerArguments(container, place, places);
    const started = new GuardedProcess({
      name: place.name,
      program: join(place.folder, this.processName),
      args,
      env: {
        PATH: '/usr/bin:/bin',
        ...env,
        AWS_ACCESS_KEY_ID: kms.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: kms.credentials.secretAccessKey.reveal(),
        // What Go trusts for the seal. Peers are verified by leader_ca_cert_file.
        SSL_CERT_FILE: kms.caFile,
      },
      stopSignals: ['TERM', 'KILL'],
      log: (line) => log(`${place.name}: ${line}`),
    });
    this.#process = started;
    await started.ready(async () => (await this.ask('/v1/sys/seal-status')) !== undefined, { limitMs: READY_LIMIT_MS });
  }

  /** As the kubelet does: SIGTERM, then SIGKILL. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** The answer, or undefined where there is none. */
  ask(path: string, options: { port?: number; token?: string | undefined } = {}): Promise<Answer | undefined> {
    const { port = this.place.api, token } = options;
    const headers = token === undefined ? {} : { 'x-vault-token': token };
    return new Promise((resolve) => {
      const call = { ca: this.#options.ca, agent: false, timeout: 10_000, headers } as const;
      const outgoing = get(`https://127.0.0.1:${port}${path}`, call, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      outgoing.on('timeout', () => outgoing.destroy());
      outgoing.on('error', () => resolve(undefined));
    });
  }

  /** The status that a rendered probe gets. */
  async probe(name: 'startupProbe' | 'readinessProbe' | 'livenessProbe'): Promise<number> {
    const path = String(at(serverSet(this.#options.manifests), `${VAULT}.${name}.httpGet.path`));
    return (await this.ask(path))?.status ?? 0;
  }
}

/** A side-car of the servers' pod. */
export function sideCar(manifests: Manifests, name: string): unknown {
  return listAt(serverSet(manifests), `${POD}.containers`).find((container) => at(container, 'name') === name);
}
