import type { ClientIdentity } from '../client-certificate.ts';
import type { VaultCall } from '../dispatch.ts';
import type { AuthBlock, VaultEnvelope } from '../envelope.ts';

/** How an auth method reaches the server before there is a token. */
export interface LoginContext {
  /** Sends a call, with `token` when given. */
  send(call: VaultCall, token?: AuthBlock['token']): Promise<VaultEnvelope>;
  readonly signal?: AbortSignal | undefined;
}

/** A way to log in. */
export interface VaultAuth {
  readonly method: string;
  /** False for a token that was handed in: it cannot be had again and is not revoked at close. */
  readonly issues: boolean;
  /** Shown at every handshake of the client. When its certificate changes the client logs in anew. */
  readonly identity?: ClientIdentity;
  login(context: LoginContext): Promise<AuthBlock>;
}
