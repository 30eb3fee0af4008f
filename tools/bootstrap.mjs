// Makes a checkout runnable with nothing but Node and npm, then runs one of its programs in this process:
//   node tools/bootstrap.mjs <program below the root> [arguments…]
// Plain JavaScript on built-in modules only, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ENVIRONMENT_ERROR = 3;
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [program, ...programArguments] = process.argv.slice(2);

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(ENVIRONMENT_ERROR);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer (24 is recommended).`);
  }
}

function checkSystem() {
  if (!['linux', 'darwin'].includes(process.platform) || !['x64', 'arm64'].includes(process.arch)) {
    fail(
      `${process.platform} on ${process.arch} is not supported: use Linux or macOS on x64 or arm64 (WSL on Windows).`,
    );
  }
}

/** Runs a command with its output on stderr, so that stdout carries nothing but the program's own output. */
function run(command, args, what) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) fail(`${what} failed: ${result.error.message}`);
  if (result.status !== 0) fail(`${what} failed (exit ${result.status ?? result.signal}): see the lines above.`);
}

function installIfNeeded() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.installed-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('Installing the dependencies (npm ci)…\n');
  run('npm', ['ci', '--no-audit', '--no-fund'], 'npm ci');
  writeFileSync(stamp, lock);
}

checkNode();
checkSystem();
if (!program) fail('usage: node tools/bootstrap.mjs <program below the root> [arguments…]');
installIfNeeded();
run(process.execPath, [join(root, 'tools', 'build.mjs')], 'The build');

process.argv = [process.argv[0], join(root, program), ...programArguments];
await import(pathToFileURL(join(root, program)).href);
