import { spawn } from 'node:child_process';
import { join } from 'node:path';

// Vitest in a process of its own: it wants to be the program that the terminal belongs to.
const vitest = join(process.cwd(), 'node_modules', 'vitest', 'vitest.mjs');
const child = spawn(process.execPath, [vitest, 'run', ...process.argv.slice(2)], { stdio: 'inherit' });
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
