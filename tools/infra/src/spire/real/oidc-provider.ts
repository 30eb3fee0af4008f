import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { freePort, GuardedProcess } from '@neural-hive/real-stack';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { lastErrorOf } from './server.ts';

const READY_LIMIT_MS = 60_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One OIDC provider on this machine, in the place of a pod, with a certificate for all of its names. */
export class RealOidcProvider {
  readonly #process: GuardedProcess;
  readonly #port: number;
  readonly #ca: string;

  private constructor(options: { process: GuardedProcess; port: number; ca: string }) {
    this.#process = options.process;
    this.#port = options.port;
    this.#ca = options.ca;
  }

  /** Resolves when the readiness probe would. @throws RealStackError `start_failed` */
  static async start(options: {
    readonly binaries: string;
    readonly folder: string;
    /** As rendered. */
    readonly configuration: string;
    readonly agentSocket: string;
  }): Promise<RealOidcProvider> {
    const { binaries, folder, configuration, agentSocket } = options;
    const [port, health] = [await freePort(), await freePort()];
    const rendered = JSON.parse(configuration) as {
      domains: string[];
      workload_api: object;
      serving_cert_file: object;
    };
    const authority = CertificateAuthority.create('oidc.test');
    const issued = authority.issueTlsCertificate({ dnsNames: rendered.domains, ttlSeconds: 86_400 });
    const write = (name: string, text: string): string => {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const log = join(folder, 'oidc.log');
    const moved = {
      ...rendered,
      log_path: log,
      workload_api: { ...rendered.workload_api, socket_path: agentSocket, poll_interval: '1s' },
      serving_cert_file: {
        addr: `127.0.0.1:${port}`,
        cert_file_path: write('oidc.pem', issued.certificateChainPem),
        key_file_path: write('oidc-key.pem', String(issued.privateKey.export({ type: 'pkcs8', format: 'pem' }))),
      },
      health_checks: { bind_port: health, live_path: '/live', ready_path: '/ready' },
    };
    const process = new GuardedProcess({
      name: 'SPIRE OIDC provider',
      program: join(binaries, 'oidc-discovery-provider'),
      args: ['-config', write('oidc.conf', JSON.stringify(moved))],
      env: { PATH: '/usr/bin:/bin', HOME: folder },
    });
    const provider = new RealOidcProvider({ process, port, ca: authority.certificatePem });
    const [host = ''] = rendered.domains;
    const serves = (): Promise<boolean> =>
      provider.get('/keys', host).then(
        ({ status }) => status === 200,
        () => false,
      );
    await process.ready(serves, { limitMs: READY_LIMIT_MS, reason: () => lastErrorOf(log) });
    return provider;
  }

  /** Asks for a path by one of the names, which the certificate has to have. */
  get(path: string, host: string, servername = host): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { host };
      const where = {
        host: '127.0.0.1',
        port: this.#port,
        path,
        headers,
        servername,
        ca: this.#ca,
        agent: false as const,
      };
      const outgoing = request({ ...where, timeout: 10_000 }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
        answer.once('error', reject);
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')));
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

type PublishedKey = JsonWebKey & { readonly kid: string; readonly use?: string };

/** The claims of a token that one of the keys of a JWK set signed with ES256; undefined when none did. */
export function claimsIfSigned(token: string, jwks: string): Readonly<Record<string, unknown>> | undefined {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const decoded = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  const { kid } = decoded(header) as { kid: string };
  const { keys } = JSON.parse(jwks) as { keys: readonly PublishedKey[] };
  const jwk = keys.find((key) => key.kid === kid && key.use === 'sig');
  if (jwk === undefined) return undefined;
  const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const;
  const isSigned = verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'));
  return isSigned ? (decoded(payload) as Record<string, unknown>) : undefined;
}
