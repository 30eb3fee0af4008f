import { NeuralHiveError } from '@neural-hive/security/common';

export type ClusterErrorCode =
  /** The settings are not what the chart writes. */
  | 'settings_invalid'
  /** No server answered in time. */
  | 'no_answer'
  /** A server answered something that was not asked for. */
  | 'refused'
  /** The cluster is initialised and was never set up. */
  | 'unfinished'
  /** The keys could be stored nowhere. */
  | 'keys_lost'
  /** The key store refuses; nothing has been initialised. */
  | 'store_refused'
  | 'snapshot_damaged'
  | 'process_missing'
  | 'fallback_unreadable';

/** A program of the cluster cannot do its work. The message says what to do, and holds no secret. */
export class ClusterError extends NeuralHiveError<ClusterErrorCode> {}
