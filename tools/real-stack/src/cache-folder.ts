import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where installed components are kept between runs. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'neural-hive');
}
