import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { askJson, type JsonAnswer } from '../https-json.ts';
import { installTool } from '../infra/tools.ts';
import { writeLoopbackCertificate } from '../loopback-certificate.ts';

export interface StartOpaOptions {
  /** The program. Default: OPA_BINARY, else the built one. */
  readonly binary?: string;
  readonly log?: (line: string) => void;
}

export interface OpaServer extends AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly address: string;
  readonly ca: string;
  readonly caFile: string;
  /** The one bearer token that is accepted. */
  readonly token: Secret<string>;
  readonly version: string;
  readonly pid: number | undefined;
  /** One call with the token: a path below `/v1/`. A text is sent as a policy, anything else as JSON. */
  call(path: string, options?: { readonly method?: string; readonly body?: unknown }): Promise<JsonAnswer>;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 30_000;

/** Whoever does not bring the token may ask how the server is, and nothing else. */
const AUTHORIZATION = `package system.authz

default allow := false

allow if crypto.sha256(input.identity) == data.neural_hive.token_sha256

allow if input.path == ["health"]
`;

/**
 * Starts an Open Policy Agent on a free port: TLS, a bearer token made for the run, no policy of anybody's yet. It ends with
 * this process, even when this process is killed.
 */
export async function startOpa(options: StartOpaOptions = {}): Promise<OpaServer> {
  const { log = () => {} } = options;
  const program = options.binary ?? (await installTool('opa'));
  const folder = mkdtempSync(join(tmpdir(), 'opa-'));
  const { ca, caFile, certificateFile, keyFile } = writeLoopbackCertificate(folder, { name: 'opa.test' });
  const token = new Secret(randomBytes(24).toString('base64url'));
  const write = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const hash = createHash('sha256').update(token.reveal()).digest('hex');
  const files = [
    write('authz.rego', AUTHORIZATION),
    write('token.json', JSON.stringify({ neural_hive: { token_sha256: hash } })),
  ];
  const address = `https://127.0.0.1:${await freePort()}`;
  const tls = [`--tls-cert-file=${certificateFile}`, `--tls-private-key-file=${keyFile}`];
  const server = new GuardedProcess({
    name: 'OPA',
    program,
    args: ['run', '--server', `--addr=${address}`, ...tls, '--authentication=token', '--authorization=basic', ...files],
    removeFolder: folder,
    env: { PATH: '/usr/bin:/bin', HOME: folder, OPA_TELEMETRY: 'off' },
    log,
    stopSignals: ['TERM', 'KILL'],
  });
  const healthy = (): Promise<boolean> =>
    askJson(`${address}/health`, { ca, timeoutMs: 5_000 }).then(
      ({ status }) => status === 200,
      () => false,
    );
  await server.ready(healthy, { limitMs: READY_LIMIT_MS });
  const headers = { authorization: `Bearer ${token.reveal()}` };
  const call: OpaServer['call'] = (path, { method, body } = {}) =>
    askJson(`${address}/v1/${path}`, {
      ca,
      headers,
      ...(method === undefined ? {} : { method }),
      ...(body === undefined ? {} : { body }),
    });
  const { json } = await call('query?q=v%20%3D%20opa.runtime().version');
  const { result = [] } = (json ?? {}) as { result?: readonly { readonly v: string }[] };
  const stop = (): Promise<void> => server.stop();
  const { pid } = server;
  const version = result[0]?.v ?? '';
  return { address, ca, caFile, token, version, pid, call, stop, [Symbol.asyncDispose]: stop };
}
