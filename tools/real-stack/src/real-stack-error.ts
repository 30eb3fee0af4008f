import { NeuralHiveError } from '@neural-hive/security/common';

export type RealStackErrorCode =
  | 'python_missing'
  | 'go_missing'
  | 'java_missing'
  | 'maven_missing'
  | 'npm_missing'
  | 'install_failed'
  | 'not_installed'
  | 'start_failed'
  | 'command_failed'
  | 'unknown_component'
  | 'already_running'
  | 'not_running';

/** A component cannot be installed, started or told to do something. The message is one line that says what to do. */
export class RealStackError extends NeuralHiveError<RealStackErrorCode> {}
