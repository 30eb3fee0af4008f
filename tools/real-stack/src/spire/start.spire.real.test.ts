import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test, vi } from 'vitest';
import { SPIRE_VERSION } from './install.ts';
import { runProgram } from './server-commands.ts';
import { startSpire } from './start.ts';

const PATIENCE = { timeout: 15_000, interval: 50 };

/** Of all processes. */
function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(join('/proc', pid, 'cmdline'), 'utf8')];
      } catch {
        return [];
      }
    });
}

test('a real SPIRE of the pinned version starts with all its parts, and leaves nothing when it is stopped', async () => {
  const spire = await startSpire({ trustDomain: 'a.test', oidc: true, bundleEndpoint: true });
  expect(await spire.server.run(['healthcheck'])).toContain('healthy');
  expect(spire.issuer).toBe(spire.oidc?.address);
  const { keys } = JSON.parse(await spire.server.bundle('spiffe')) as { keys: unknown[] };
  expect(keys.length).toBeGreaterThanOrEqual(2);
  expect(readFileSync(join(spire.folder, 'agent.log'), 'utf8')).toContain(`version=${SPIRE_VERSION}`);
  expect(existsSync(spire.folder)).toBe(true);
  await spire.stop();
  await spire.stop();
  expect(existsSync(spire.folder)).toBe(false);
});

test('an agent can be stopped and started again', async () => {
  await using spire = await startSpire({ bootstrap: 'insecure' });
  const socket = spire.endpoint.slice('unix://'.length);
  const program = join(process.env.SPIRE_BINARIES ?? '', 'spire-agent');
  const check = () => runProgram(program, ['healthcheck', '-socketPath', socket]);
  expect(await check()).toContain('healthy');
  await spire.stopAgent();
  await spire.stopAgent();
  await expect(check()).rejects.toMatchObject({ code: 'command_failed' });
  await spire.startAgent();
  await spire.startAgent();
  expect(await check()).toContain('healthy');
});

test('everything ends with the process that started it, however that one ends', async () => {
  const script = `import { startSpire } from '@neural-hive/real-stack';
const spire = await startSpire({ oidc: true });
process.stdout.write(spire.folder + '\\n');
setInterval(() => {}, 1000);`;
  const folder = mkdtempSync(join(import.meta.dirname, '..', '..', 'dist', 'real-'));
  const file = join(folder, 'starter.mjs');
  writeFileSync(file, script);
  try {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const stack = await new Promise<string>((resolve) =>
      createInterface({ input: child.stdout }).once('line', (line) => resolve(line)),
    );
    expect(stack).toContain(tmpdir());
    expect(existsSync(stack)).toBe(true);
    expect(commandLines().filter((line) => line.includes(stack)).length).toBeGreaterThanOrEqual(3);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(existsSync(stack)).toBe(false), PATIENCE);
    await vi.waitFor(() => expect(commandLines().filter((line) => line.includes(stack))).toEqual([]), PATIENCE);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('programs that are not SPIRE are told in one line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'real-'));
  writeFileSync(join(folder, 'spire-server'), '#!/bin/sh\necho "error: not a server" >&2; exit 1\n', { mode: 0o755 });
  const failing = startSpire({ binaries: folder });
  await expect(failing).rejects.toMatchObject({ code: 'start_failed' });
  await expect(failing).rejects.toThrow('SPIRE server did not start: error: not a server');
  rmSync(folder, { recursive: true });
});
