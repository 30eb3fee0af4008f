export interface Servers {
  readonly address: string;
  readonly caFile: string;
  readonly rootToken: string;
  readonly postgres: { host: string; port: number; database: string; user: string; password: string };
}

export function makeReaderRole(servers: Servers, ttlSeconds: number): Promise<void>;
