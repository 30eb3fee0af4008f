import { NeuralHiveError } from '../common/index.ts';

export type EncodingErrorCode =
  | 'DER_INVALID'
  | 'PEM_INVALID'
  | 'BASE64_INVALID'
  | 'JSON_INVALID'
  | 'DURATION_INVALID'
  | 'INPUT_TOO_LARGE';

/** Untrusted bytes or text that do not follow their encoding. The message never repeats the input. */
export class EncodingError extends NeuralHiveError<EncodingErrorCode> {}
