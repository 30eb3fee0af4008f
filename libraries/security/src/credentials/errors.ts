import { NeuralHiveError } from '../common/index.ts';

export type CredentialErrorCode =
  /** The new credential did not work in the probe; the old one stays in use. */
  | 'probe-failed'
  /** A consumer did not take the new credential; the old one stays in use. */
  | 'publish-failed'
  /** The server did not give a new credential; the old one stays in use. */
  | 'obtain-failed'
  /** A session of a replaced credential was still busy at the drain deadline and was ended. Repeat the work. */
  | 'session-terminated'
  /** The rotating credential was closed. */
  | 'closed';

/** A credential, or something that used it, failed. Never holds the credential. */
export class CredentialError extends NeuralHiveError<CredentialErrorCode> {}

export type KvUserErrorCode =
  /** Nobody reports what it uses and nobody was named, so there is nothing to wait for before a login is deleted. */
  | 'no-consumers'
  /** Somebody else wrote the entry meanwhile; nothing was changed. */
  | 'changed-meanwhile'
  /** The entry holds no username. */
  | 'bad-entry';

/** Replacing a user whose password is kept in KV failed. The next run repairs what is left half done. */
export class KvUserError extends NeuralHiveError<KvUserErrorCode> {}
