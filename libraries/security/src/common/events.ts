import { type Channel, channel } from 'node:diagnostics_channel';

/** An SVID came, did not come, or was taken away. */
export interface SvidEvent {
  readonly svidType: 'x509' | 'jwt';
  /** `fallback`: it came from a file or a variable. `reopened`: its stream is opened anew because the next is overdue. */
  readonly change: 'success' | 'error' | 'fallback' | 'withdrawn' | 'reopened';
  /** From asking for it to having it; 0 when nobody asked, as for one that the agent pushed. */
  readonly durationMs: number;
  readonly spiffeId?: string;
  readonly expiresAtMs?: number;
}

/** A foreign trust bundle was fetched, or could not be. */
export interface BundleEvent {
  readonly trustDomain: string;
  readonly status: 'updated' | 'unchanged' | 'error';
}

/** A call to Vault ended, its repetitions included. */
export interface VaultRequestEvent {
  /** A template such as `kv.read`, never a path. */
  readonly operation: string;
  /** `success`, a `VaultErrorCode`, or `aborted`. */
  readonly status: string;
  readonly durationMs: number;
}

/** The token of a Vault client was renewed, was not, or was replaced by a new login. */
export interface VaultTokenEvent {
  readonly change: 'renewed' | 'renewal-failed' | 'replaced';
  /** Of a replacement: a `TokenReplacementReason`. */
  readonly reason?: string;
}

/** A lease came, changed or went. */
export interface LeaseChange {
  readonly change: 'obtained' | 'renewed' | 'renewal-failed' | 'ending' | 'revoked' | 'gone';
  readonly leaseId: string;
  /** `Infinity` when it does not end by itself. */
  readonly expiresAtMs: number;
  /** Why it will not be renewed any more: a `LeaseEnding`. */
  readonly reason?: string;
}

/** A rotation of a credential ended. */
export interface RotationEvent {
  readonly credential: string;
  /** A `RotationReason`. */
  readonly reason: string;
  readonly ok: boolean;
  /** The generation in use after it. */
  readonly generation: number;
  readonly durationMs: number;
  /** From the moment new work used the new generation until nothing used the old one; 0 when it did not come to that. */
  readonly drainMs: number;
  /** Sessions that were ended at the deadline. */
  readonly terminated: number;
  /** Of a failure: the code of a `NeuralHiveError`. */
  readonly errorCode?: string;
}

/** A call was let in or refused. */
export interface AuthDecisionEvent {
  /** A method of the service's own table, or `unknown`. */
  readonly method: string;
  readonly allowed: boolean;
  /** Who was let in, or who was refused after it was proved. */
  readonly spiffeId?: string;
  /** Why it was refused. */
  readonly reason?: string;
}

/** One channel of `node:diagnostics_channel`, with the type of what is published on it. */
export class EventChannel<Event extends object> {
  readonly name: string;
  /** Held, because Node forgets a channel that nobody holds. */
  readonly #channel: Channel;

  constructor(name: string) {
    this.name = name;
    this.#channel = channel(name);
  }

  /** While nobody listens the event is not even made. */
  publish(make: () => Event): void {
    if (this.#channel.hasSubscribers) this.#channel.publish(make());
  }

  /**
   * Calls back at once, in the async context of what happened. A listener that throws ends the process as an uncaught
   * exception does: that is Node's rule for every diagnostics channel. The returned function ends it.
   */
  subscribe(listener: (event: Event) => void): () => void {
    const onMessage = (message: unknown): void => listener(message as Event);
    this.#channel.subscribe(onMessage);
    return () => void this.#channel.unsubscribe(onMessage);
  }
}

/** Everything the library tells the process about itself. No payload holds a secret or an error's text. */
export const events = {
  svid: new EventChannel<SvidEvent>('neural-hive:spiffe.svid'),
  bundle: new EventChannel<BundleEvent>('neural-hive:spiffe.bundle'),
  vaultRequest: new EventChannel<VaultRequestEvent>('neural-hive:vault.request'),
  vaultToken: new EventChannel<VaultTokenEvent>('neural-hive:vault.token'),
  lease: new EventChannel<LeaseChange>('neural-hive:lease'),
  rotation: new EventChannel<RotationEvent>('neural-hive:credential.rotation'),
  authDecision: new EventChannel<AuthDecisionEvent>('neural-hive:auth.decision'),
} as const;
