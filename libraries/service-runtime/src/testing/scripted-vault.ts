import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { CertificateAuthority } from '@neural-hive/security/testing';

export interface ScriptedRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Answers as much of Vault's API as opening a client, leasing and revoking need. */
export class ScriptedVault {
  readonly requests: ScriptedRequest[] = [];
  readonly caPem: string;
  /** Behind it connections are cut until `letIn`. */
  readonly gateAddress: string;
  readonly #closers: (() => Promise<unknown>)[];
  #open: boolean;

  private constructor(caPem: string, port: number, open: boolean, closers: (() => Promise<unknown>)[]) {
    this.caPem = caPem;
    this.gateAddress = `https://127.0.0.1:${port}`;
    this.#open = open;
    this.#closers = closers;
  }

  static async listen({ away = false }: { away?: boolean } = {}): Promise<ScriptedVault> {
    const authority = CertificateAuthority.create('scripted.test');
    const issued = authority.issueTlsCertificate({ ipAddresses: ['127.0.0.1'], ttlSeconds: 600 });
    const key = issued.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const server = createHttps({ cert: issued.certificateChainPem, key }).listen(0, '127.0.0.1');
    const gate = createServer().listen(0, '127.0.0.1');
    await Promise.all([once(server, 'listening'), once(gate, 'listening')]);
    const portOf = (one: { address(): unknown }): number => (one.address() as AddressInfo).port;
    const close = (one: typeof server | typeof gate) => () => new Promise((resolve) => one.close(resolve));
    const vault = new ScriptedVault(authority.certificatePem, portOf(gate), !away, [close(gate), close(server)]);
    gate.on('connection', (socket) => {
      socket.on('error', () => undefined);
      if (!vault.#open) return void socket.destroy();
      const onward = connect(portOf(server), '127.0.0.1').on('error', () => socket.destroy());
      socket.pipe(onward).pipe(socket);
    });
    server.on('request', async (request, response) => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const path = request.url ?? '';
      const body = text === '' ? {} : JSON.parse(text);
      vault.requests.push({ path, body });
      const answer = answerTo(path);
      response.writeHead(answer === undefined ? 204 : 200, { 'content-type': 'application/json' });
      response.end(answer === undefined ? undefined : JSON.stringify(answer));
    });
    vault.#closers.unshift(async () => server.closeAllConnections());
    return vault;
  }

  letIn(): void {
    this.#open = true;
  }

  /** What was sent to paths that start so. */
  to(prefix: string): Readonly<Record<string, unknown>>[] {
    return this.requests.filter(({ path }) => path.startsWith(prefix)).map(({ body }) => body);
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
  }
}

function answerTo(path: string): object | undefined {
  if (path.endsWith('/lookup-self')) {
    return { data: { accessor: 'acc', ttl: 600, renewable: true, type: 'service' } };
  }
  if (path.endsWith('/login')) {
    return { auth: { client_token: 'hvs.a', accessor: 'acc', lease_duration: 600, renewable: true } };
  }
  if (path.includes('/creds/')) {
    const data = { username: 'u', password: 'p' };
    return { lease_id: 'database/creds/r/2', lease_duration: 60, renewable: true, data };
  }
  return undefined;
}
