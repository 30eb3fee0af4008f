import { assertSocketPath } from '@neural-hive/security/common';
import { Client } from 'undici';
import { environmentFailure } from '../failure.ts';

/** Commands for the dev authority over its private socket: only its owner, and root, can open it. */
export class AuthorityControl {
  readonly #client: Client;

  constructor(socketPath: string) {
    assertSocketPath(socketPath);
    this.#client = new Client('http://control', { socketPath });
  }

  /** Gives one workload a new X509-SVID now. */
  async rotateX509(spiffeId: string): Promise<void> {
    await this.#post('rotate-x509', { spiffe_id: spiffeId });
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }

  async #post(path: string, body: object): Promise<void> {
    const response = await this.#client.request({
      method: 'POST',
      path: `/v1/sys/dev/${path}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.body.text();
    if (response.statusCode >= 400) throw environmentFailure(`The dev authority refused ${path}: ${text}`);
  }
}
