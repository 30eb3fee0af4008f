import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CertificateAuthority } from './certificate-authority.ts';

const ACCOUNT = { namespace: 'ns', name: 'app', uid: '6f1b1b0e-0000-4000-8000-000000000001' };
const AUDIENCE = 'vault';

/** The one path of a Kubernetes API server that a login needs: TokenReview. */
export class TokenReviewer {
  readonly address: string;
  readonly caPem: string;
  /** The service account token that the cluster accepts, for the audience `vault`. */
  readonly goodToken: string;
  /** One of the same shape that it does not. */
  readonly badToken: string;
  /** Tokens that were asked about. */
  readonly reviewed: string[] = [];
  readonly #server: Server;

  private constructor(server: Server, authority: CertificateAuthority) {
    const { port } = server.address() as AddressInfo;
    this.#server = server;
    this.address = `https://127.0.0.1:${port}`;
    this.caPem = authority.certificatePem;
    const { namespace, name, uid } = ACCOUNT;
    const token = (jti: string): string =>
      authority.issueJwtSvid({
        id: `system:serviceaccount:${namespace}:${name}`,
        audience: AUDIENCE,
        ttlSeconds: 3_600,
        issuer: 'https://kubernetes.default.svc',
        claims: { jti, 'kubernetes.io': { namespace, serviceaccount: { name, uid } } },
      });
    this.goodToken = token('good');
    this.badToken = token('bad');
  }

  static async listen(): Promise<TokenReviewer> {
    const authority = CertificateAuthority.create('cluster.test');
    const issued = authority.issueTlsCertificate({
      ipAddresses: ['127.0.0.1'],
      dnsNames: ['localhost'],
      ttlSeconds: 600,
    });
    const key = issued.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const server = createServer({ cert: issued.certificateChainPem, key }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const reviewer = new TokenReviewer(server, authority);
    server.on('request', async (request, response) => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const { spec } = JSON.parse(text) as { spec: { token: string } };
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(JSON.stringify(reviewer.#review(spec.token)));
    });
    return reviewer;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #review(token: string): object {
    this.reviewed.push(token);
    const { namespace, name, uid } = ACCOUNT;
    const user = { username: `system:serviceaccount:${namespace}:${name}`, uid };
    const status =
      token === this.goodToken
        ? { authenticated: true, user, audiences: [AUDIENCE] }
        : { authenticated: false, error: 'unknown token' };
    return { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status };
  }
}
