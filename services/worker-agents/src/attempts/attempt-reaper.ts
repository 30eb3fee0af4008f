/**
 * Ends every process of the uid that it runs under and, given a folder, empties it. The launcher runs it under an
 * attempt's uid: `kill(-1)` reaches every process of the uid at once, which no walk through the process table can
 * promise while they fork, and a removal with the attempt's own rights can remove nothing that was not the attempt's.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [uidText = '', folder] = process.argv.slice(2);
const uid = Number(uidText);
if (!Number.isInteger(uid) || uid <= 0 || process.getuid?.() !== uid || process.geteuid?.() !== uid) {
  throw new RangeError('The reaper runs under an attempt uid only');
}
try {
  process.kill(-1, 'SIGKILL');
} catch {
  // There was none.
}
if (folder !== undefined) {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}
