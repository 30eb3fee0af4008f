export { processStart } from './adapters/filesystem/process-identity.ts';
export { lockHolder, tryTakeLock } from './adapters/filesystem/process-lock.ts';
export { AttemptError, type AttemptErrorCode } from './attempts/attempt-error.ts';
export {
  type AttemptLauncher,
  type AttemptLauncherOptions,
  startAttemptLauncher,
} from './attempts/attempt-launcher.ts';
export {
  type AllowedProgram,
  defaultPrograms,
  type ProgramCatalogue,
  programCatalogue,
  type ToolChain,
} from './attempts/program-catalogue.ts';
export { type GuardPrograms, guardsIn } from './attempts/watchdog-process.ts';
