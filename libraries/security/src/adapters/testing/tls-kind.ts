import type { ClientRules, ConnectionAge, SpiffeServerOptions, TrustLoss } from '../../tls/index.ts';

export type CallerOptions = ClientRules & TrustLoss & ConnectionAge & { readonly host: string; readonly port: number };

export interface Caller {
  /** Asks once, over a connection that is open already where there is one; resolves to what the server answered. */
  ask(): Promise<string>;
  close(): unknown;
}

export interface Serving {
  readonly port: number;
  close(): unknown;
}

/** A way to talk over TLS, so that one table of rules is tried with every one. A server answers whom its handler sees. */
export interface TlsKind {
  readonly name: string;
  /** What a client of it offers by ALPN. */
  readonly alpn: string;
  /** Whether the client can limit the age of its connections. */
  readonly clientAges: boolean;
  serve(options: SpiffeServerOptions): Promise<Serving>;
  caller(options: CallerOptions): Caller;
}

/** What a handler answers to one that it knows no ID of. */
export const NOBODY = 'nobody';
