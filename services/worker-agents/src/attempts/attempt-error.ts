import { NeuralHiveError } from '@neural-hive/security/common';

/**
 * `refused`: the request does not fit the allow-list; `not_started`: the sources could not be copied or the program
 * could not be started; `flooded`: it said more than it may; `lost`: the watchdog or the launcher went away.
 */
export type AttemptErrorCode = 'refused' | 'not_started' | 'flooded' | 'lost';

export class AttemptError extends NeuralHiveError<AttemptErrorCode> {}
