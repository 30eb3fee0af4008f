import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { askJson } from '../https-json.ts';
import { writeLoopbackCertificate } from '../loopback-certificate.ts';
import { RealStackError } from '../real-stack-error.ts';
import { noteUse } from '../used.ts';
import { installMoto } from './install.ts';

export interface StartMotoOptions {
  /** The Python that has moto. Default: MOTO_PYTHON, else the installed one. */
  readonly python?: string;
  /** What the user may do, as IAM names it. Default `['kms:*']`. */
  readonly actions?: readonly string[];
  readonly log?: (line: string) => void;
}

/** The access key of an IAM user. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret<string>;
}

export interface MotoServer extends AsyncDisposable {
  /** `https://127.0.0.1:<port>`, for every service. */
  readonly endpoint: string;
  readonly region: string;
  readonly ca: string;
  readonly caFile: string;
  /** The user that was made at the start; requests of anybody else are refused. */
  readonly credentials: AwsCredentials;
  /** A symmetric key of KMS. */
  readonly kmsKeyId: string;
  readonly version: string;
  readonly pid: number | undefined;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 60_000;
const REGION = 'eu-central-1';
const USER = 'neural-hive';

/**
 * Starts moto, an emulator of AWS that keeps everything in memory, on a free port over TLS. Signatures and actions of
 * requests are checked against IAM. It ends with this process, even when this process is killed.
 */
export async function startMoto(options: StartMotoOptions = {}): Promise<MotoServer> {
  const { actions = ['kms:*'], log = () => {} } = options;
  const python = options.python ?? process.env.MOTO_PYTHON ?? (await installMoto());
  const folder = mkdtempSync(join(tmpdir(), 'moto-'));
  const port = await freePort();
  const { ca, caFile, certificateFile, keyFile } = writeLoopbackCertificate(folder, { name: 'moto.test' });
  const tls = ['--ssl-cert', certificateFile, '--ssl-key', keyFile];
  const server = new GuardedProcess({
    name: 'moto',
    program: python,
    args: ['-c', START, '-H', '127.0.0.1', '-p', String(port), ...tls],
    removeFolder: folder,
    env: { PATH: '/usr/bin:/bin', HOME: folder, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' },
    log,
    stopSignals: ['TERM', 'KILL'],
  });
  const endpoint = `https://127.0.0.1:${port}`;
  const ask = new Aws(endpoint, ca);
  await server.ready(() => ask.answers(), { limitMs: READY_LIMIT_MS });
  try {
    const version = server.lines.map((line) => /^moto (\S+)$/.exec(line)?.[1]).find((found) => found !== undefined);
    noteUse('moto', version ?? '');
    const kmsKeyId = await ask.createKey();
    const credentials = await ask.createUser(actions);
    await ask.requireSignatures();
    const stop = (): Promise<void> => server.stop();
    const { pid } = server;
    const where = { endpoint, region: REGION, ca, caFile, credentials, kmsKeyId };
    return { ...where, version: version ?? '', pid, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Says which version runs: no path of the server tells it. */
const START = `
import sys
from importlib.metadata import version
print('moto ' + version('moto'), file=sys.stderr)
from moto.server import main
main()
`;

/** What is asked before signatures are: moto takes the name of a service from a signature that it does not check yet. */
class Aws {
  readonly #endpoint: string;
  readonly #ca: string;

  constructor(endpoint: string, ca: string) {
    this.#endpoint = endpoint;
    this.#ca = ca;
  }

  answers(): Promise<boolean> {
    return askJson(`${this.#endpoint}/moto-api/data.json`, { ca: this.#ca, timeoutMs: 5_000 }).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async createKey(): Promise<string> {
    const target = { 'x-amz-target': 'TrentService.CreateKey', 'content-type': 'application/x-amz-json-1.1' };
    const text = await this.#call('kms', target, JSON.stringify({ Description: USER }));
    const { KeyMetadata } = JSON.parse(text) as { KeyMetadata: { KeyId: string } };
    return KeyMetadata.KeyId;
  }

  async createUser(actions: readonly string[]): Promise<AwsCredentials> {
    const statement = { Effect: 'Allow', Action: actions, Resource: '*' };
    const document = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await this.#iam({ Action: 'CreateUser', UserName: USER });
    await this.#iam({ Action: 'PutUserPolicy', UserName: USER, PolicyName: USER, PolicyDocument: document });
    const text = await this.#iam({ Action: 'CreateAccessKey', UserName: USER });
    const [, accessKeyId = ''] = /<AccessKeyId>([^<]+)</.exec(text) ?? [];
    const [, secret = ''] = /<SecretAccessKey>([^<]+)</.exec(text) ?? [];
    if (accessKeyId === '' || secret === '') throw new RealStackError('start_failed', 'moto gave no access key');
    return { accessKeyId, secretAccessKey: new Secret(secret) };
  }

  async requireSignatures(): Promise<void> {
    await this.#post('/moto-api/reset-auth', {}, '0');
  }

  #iam(parameters: Readonly<Record<string, string>>): Promise<string> {
    const body = new URLSearchParams({ ...parameters, Version: '2010-05-08' }).toString();
    return this.#call('iam', { 'content-type': 'application/x-www-form-urlencoded' }, body);
  }

  #call(service: string, headers: Readonly<Record<string, string>>, body: string): Promise<string> {
    const nobody = randomBytes(10).toString('hex');
    const scope = `AWS4-HMAC-SHA256 Credential=${nobody}/20260101/${REGION}/${service}/aws4_request`;
    return this.#post('/', { ...headers, authorization: `${scope}, SignedHeaders=host, Signature=none` }, body);
  }

  async #post(path: string, headers: Readonly<Record<string, string>>, body: string): Promise<string> {
    const { status, text } = await askJson(`${this.#endpoint}${path}`, { ca: this.#ca, headers, body });
    if (status !== 200) throw new RealStackError('start_failed', `moto answered ${status} while it was set up`);
    return text;
  }
}
