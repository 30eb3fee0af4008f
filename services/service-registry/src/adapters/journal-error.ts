import { NeuralHiveError } from '@neural-hive/security/common';

/**
 * - `journal_damaged`: a record in the middle of the file cannot be read; only its end may be torn
 * - `journal_version`: another version of the registry wrote the file
 * - `journal_write`: the file system refused a write; it is tried again with the next change
 * - `journal_closed`: the registry stops
 */
export type JournalErrorCode = 'journal_damaged' | 'journal_version' | 'journal_write' | 'journal_closed';

/** The journal cannot be read or written. */
export class JournalError extends NeuralHiveError<JournalErrorCode> {
  constructor(code: JournalErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(code, message, { retryable: code === 'journal_write', ...options });
  }
}
