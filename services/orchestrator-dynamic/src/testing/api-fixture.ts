import type { KeyObject } from 'node:crypto';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { httpsServer } from '@neural-hive/security/http';
import { matchMemberOf, parseX509Svid, TrustDomain, type X509Svid } from '@neural-hive/security/spiffe';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { peerSpiffeId } from '@neural-hive/security/tls';
import { type ApiServer, openApiServer } from '../api/api-server.ts';
import { DEFAULT_ROLES, type RoleTable } from '../api/operations.ts';
import type { PlanEngine } from '../ports/plan-engine.ts';
import type { TicketClaims } from '../ports/ticket-desk.ts';

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

export interface Credentials {
  /** Several go into several headers. */
  readonly token?: string | readonly string[];
  /** SPIFFE ID of the X509-SVID that the client shows. */
  readonly svid?: string;
  readonly authority?: CertificateAuthority;
}

const TTL = { ttlSeconds: 300 };

export function svidOf(authority: CertificateAuthority, id: string): X509Svid {
  const { certificates, privateKey } = authority.issueX509Svid({ id, ...TTL });
  return parseX509Svid({
    certificates: Buffer.concat(certificates),
    privateKey: (privateKey as KeyObject).export({ format: 'der', type: 'pkcs8' }),
  });
}

/** The API with a real TLS server, as callers of the trust domain see it. */
export class ApiFixture {
  readonly authority = CertificateAuthority.create('neural-hive.local');
  readonly attempts: string[] = [];
  readonly failures: string[] = [];
  readonly log: object[] = [];
  #server: ApiServer | undefined;

  static async open(engine: PlanEngine, roles: Partial<RoleTable> = {}, claims?: TicketClaims): Promise<ApiFixture> {
    const fixture = new ApiFixture();
    const { authority } = fixture;
    const trustDomain = TrustDomain.parse('neural-hive.local');
    const own = svidOf(authority, SPIFFE_IDS.orchestrator);
    const rules = {
      identity: { getX509Svid: () => own, getX509Bundle: () => authority.bundle() },
      authorize: matchMemberOf(trustDomain),
      clientCertificate: 'request' as const,
    };
    fixture.#server = await openApiServer({
      engine,
      claims,
      host: '127.0.0.1',
      port: 0,
      createServer: (listener) => httpsServer(rules, listener),
      authentication: {
        bundles: { getJwtBundle: (domain) => (domain.equals(trustDomain) ? authority.jwtBundle() : undefined) },
        audience: AUDIENCES.orchestrator,
        issuer: SPIFFE_ISSUER,
        leewaySeconds: 0,
        roles: { ...DEFAULT_ROLES, ...roles },
        peerSpiffeId: (socket) => peerSpiffeId(socket as TLSSocket),
        metrics: {
          attempt: (method, status) => fixture.attempts.push(`${method} ${status}`),
          failure: (method, reason) => fixture.failures.push(`${method} ${reason}`),
        },
        log: { warn: (fields, message) => fixture.log.push({ ...fields, message }) },
      },
    });
    return fixture;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  tokenOf(claims: Partial<Parameters<CertificateAuthority['issueJwtSvid']>[0]> = {}): string {
    return this.authority.issueJwtSvid({
      id: SPIFFE_IDS.operator,
      audience: AUDIENCES.orchestrator,
      issuer: SPIFFE_ISSUER,
      ...TTL,
      ...claims,
    });
  }

  get operator(): Credentials {
    return { token: this.tokenOf() };
  }

  async call(method: string, path: string, credentials: Credentials, body?: unknown): Promise<Answer> {
    let text = '';
    const status = await this.stream(method, path, credentials, body, (chunk) => {
      text += chunk;
    });
    return { status, body: text.trim() === '' ? undefined : JSON.parse(text) };
  }

  /** Resolves with the status once the answer has ended. */
  stream(
    method: string,
    path: string,
    { token, svid, authority = this.authority }: Credentials,
    body: unknown,
    onChunk: (text: string) => void,
  ): Promise<number> {
    const shown = svid === undefined ? undefined : svidOf(authority, svid);
    const payload = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          agent: false,
          rejectUnauthorized: false,
          ...(shown && { cert: shown.certificateChainPem, key: shown.privateKeyPem() }),
          headers: {
            ...(payload !== undefined && { 'content-type': 'application/json' }),
          },
        },
        (response) => {
          response.setEncoding('utf8');
          response.on('data', onChunk);
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', reject);
        },
      );
      if (token !== undefined)
        call.setHeader(
          'authorization',
          [token].flat().map((each) => `Bearer ${each}`),
        );
      call.on('error', reject);
      call.end(payload);
    });
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}
