import type { X509Source } from '@neural-hive/security/spiffe';
import { z } from 'zod';
import { type CredentialReport, credentialReport } from '../job/report.ts';
import { SpiffeHttpClient } from './spiffe-http.ts';

const listed = z.object({
  credentials: z.array(
    // A credential without an end of its own has the lifetime 0.
    z.object({ name: z.string(), kind: z.string(), generation: z.int(), ttlSeconds: z.number() }),
  ),
});
export type ListedCredential = z.infer<typeof listed>['credentials'][number];

const rotated = z.object({ rotations: z.array(z.object({ name: z.string(), ok: z.boolean() })) });

const anything = z.unknown();

/** The management API of one service: its credentials, their rotation, and a load that uses them meanwhile. */
export class ManagementClient {
  readonly service: string;
  readonly #http: SpiffeHttpClient;

  constructor(options: { identity: X509Source; service: string; spiffeId: string; port: number }) {
    this.service = options.service;
    this.#http = new SpiffeHttpClient({ ...options, what: `The management API of ${options.service}` });
  }

  async credentials(): Promise<readonly ListedCredential[]> {
    return (await this.#http.json('GET', '/v1/credentials', listed)).credentials;
  }

  async load(action: 'start' | 'stop'): Promise<void> {
    await this.#http.json('POST', '/v1/credentials/load', anything, { action });
  }

  /** Resolves when the rotation is over and the old generation drained. False when it did not come to that. */
  async rotate(name: string): Promise<boolean> {
    const { rotations } = await this.#http.json('POST', '/v1/credentials/rotate', rotated, { name, times: 1 });
    return rotations.every(({ ok }) => ok);
  }

  /** The next change of this credential, which its authority makes, is a commanded one. */
  async expectChange(name: string): Promise<void> {
    await this.#http.json('POST', '/v1/credentials/expect', anything, { name, times: 1 });
  }

  report(): Promise<CredentialReport> {
    return this.#http.json('GET', '/v1/report', credentialReport);
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}
