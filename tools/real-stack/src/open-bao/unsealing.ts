import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { askJson } from '../https-json.ts';
import { writeLoopbackCertificate } from '../loopback-certificate.ts';
import type { AwsCredentials, MotoServer } from '../moto/start.ts';
import { RealStackError } from '../real-stack-error.ts';
import { noteUse } from '../used.ts';
import { installOpenBao, OPEN_BAO_WITH_AWSKMS } from './install.ts';

export interface StartUnsealingOptions {
  /** Whose key unseals it. */
  readonly kms: Pick<MotoServer, 'endpoint' | 'region' | 'kmsKeyId' | 'caFile' | 'credentials'>;
  /** The program. Default: BAO_AWSKMS_BINARY, else the installed one. */
  readonly binary?: string;
  readonly log?: (line: string) => void;
}

export interface InitialisedVault {
  readonly rootToken: Secret<string>;
  /** What an operator keeps; they unseal nothing. */
  readonly recoveryKeys: readonly Secret<string>[];
}

/** The answer of `sys/health`. */
export interface OpenBaoHealth {
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly version: string;
}

const READY_LIMIT_MS = 60_000;

/**
 * A real OpenBao of the line that has the `awskms` seal, with one Raft node on disk, over TLS. It starts uninitialised and
 * can be started again. It ends with this process, even when this process is killed; then its folder stays.
 */
export class UnsealingOpenBao implements AsyncDisposable {
  readonly address: string;
  readonly ca: string;
  readonly caFile: string;
  readonly #binary: string;
  readonly #folder: string;
  readonly #configuration: string;
  readonly #seal: Pick<MotoServer, 'caFile'>;
  readonly #log: (line: string) => void;
  #server: GuardedProcess | undefined;

  private constructor(options: StartUnsealingOptions & { readonly binary: string }, ports: readonly [number, number]) {
    const { kms, binary, log = () => {} } = options;
    this.#folder = mkdtempSync(join(tmpdir(), 'bao-'));
    this.#binary = binary;
    this.#seal = kms;
    this.#log = log;
    this.address = `https://127.0.0.1:${ports[0]}`;
    const tls = writeLoopbackCertificate(this.#folder, { name: 'openbao.test' });
    this.ca = tls.ca;
    this.caFile = tls.caFile;
    mkdirSync(join(this.#folder, 'data'), { mode: 0o700 });
    this.#configuration = join(this.#folder, 'server.json');
    const configuration = {
      api_addr: this.address,
      cluster_addr: `https://127.0.0.1:${ports[1]}`,
      listener: [
        { tcp: { address: `127.0.0.1:${ports[0]}`, cluster_address: `127.0.0.1:${ports[1]}`, ...files(tls) } },
      ],
      storage: { raft: { path: join(this.#folder, 'data'), node_id: 'one' } },
      seal: [{ awskms: { region: kms.region, endpoint: kms.endpoint, kms_key_id: kms.kmsKeyId } }],
    };
    writeFileSync(this.#configuration, JSON.stringify(configuration), { mode: 0o600 });
  }

  /** Resolves when it answers, not yet initialised. @throws RealStackError `start_failed` */
  static async start(options: StartUnsealingOptions): Promise<UnsealingOpenBao> {
    const given = options.binary ?? process.env.BAO_AWSKMS_BINARY;
    const binary = given ?? (await installOpenBao({ version: OPEN_BAO_WITH_AWSKMS }));
    const server = new UnsealingOpenBao({ ...options, binary }, [await freePort(), await freePort()]);
    try {
      await server.startAgain(options.kms.credentials);
      noteUse('openbao', (await server.health())?.version ?? '');
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Starts it after `stopServer`, with what it knows on disk. Resolves when it answers, sealed or not. */
  async startAgain(credentials: AwsCredentials): Promise<void> {
    const server = new GuardedProcess({
      name: 'OpenBao',
      program: '/bin/sh',
      // Why a seal does not work it says on standard output.
      args: ['-c', 'exec "$0" "$@" 1>&2', this.#binary, 'server', `-config=${this.#configuration}`],
      env: {
        PATH: '/usr/bin:/bin',
        HOME: this.#folder,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey.reveal(),
        // What Go trusts: of all authorities only the one of the seal.
        SSL_CERT_FILE: this.#seal.caFile,
      },
      log: this.#log,
    });
    this.#server = server;
    await server.ready(async () => (await this.health()) !== undefined, {
      limitMs: READY_LIMIT_MS,
      // What follows is the answer of KMS, line by line.
      reason: () => server.lines.find((line) => line.startsWith('Error ')),
    });
  }

  /** Ends the process and keeps its folder. Idempotent. */
  async stopServer(): Promise<void> {
    await this.#server?.stop();
  }

  /** Undefined while it does not answer. */
  async health(): Promise<OpenBaoHealth | undefined> {
    const everyState = 'uninitcode=200&sealedcode=200&standbyok=true';
    const answer = await askJson(`${this.address}/v1/sys/health?${everyState}`, { ca: this.ca }).catch(() => undefined);
    return answer?.status === 200 ? (answer.json as OpenBaoHealth) : undefined;
  }

  /** Makes it a vault, unsealed by the key. @throws RealStackError `command_failed` */
  async initialise(): Promise<InitialisedVault> {
    const body = { recovery_shares: 5, recovery_threshold: 3 };
    const { status, json } = await askJson(`${this.address}/v1/sys/init`, {
      ca: this.ca,
      method: 'PUT',
      body,
      timeoutMs: 60_000,
    });
    if (status !== 200) throw new RealStackError('command_failed', `OpenBao answered sys/init with ${status}`);
    const { root_token, recovery_keys_base64 } = json as { root_token: string; recovery_keys_base64: string[] };
    return { rootToken: new Secret(root_token), recoveryKeys: recovery_keys_base64.map((key) => new Secret(key)) };
  }

  /** Ends it and deletes its folder. Idempotent. */
  async stop(): Promise<void> {
    await this.stopServer();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function files(tls: { readonly certificateFile: string; readonly keyFile: string }) {
  return { tls_cert_file: tls.certificateFile, tls_key_file: tls.keyFile };
}
