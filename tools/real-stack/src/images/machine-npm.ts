import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** The npm of this machine, to be run by another Node and with another home. */
export interface MachineNpm {
  /** A program for Node. */
  readonly program: string;
  /** Where it gets packages from, and where it keeps them, is the machine's business. */
  readonly env: Readonly<Record<string, string>>;
}

export function machineNpm(): MachineNpm {
  // Not below a workspace, about which npm says nothing.
  const ask = (...args: readonly string[]): string => execFileSync('npm', args, { cwd: '/', encoding: 'utf8' }).trim();
  const setting = (name: string): [string, string] => [`npm_config_${name}`, ask('config', 'get', name)];
  return {
    program: join(ask('root', '--global'), 'npm', 'bin', 'npm-cli.js'),
    env: Object.fromEntries([setting('userconfig'), setting('globalconfig'), setting('cache')]),
  };
}
