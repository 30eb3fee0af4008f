import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { RealStackError } from '../real-stack-error.ts';

/** Which processes get which identity from the agent. */
export interface SpireEntry {
  /** `spiffe://…` of this trust domain. */
  readonly id: string;
  /** `unix:uid:1000`, `unix:path:/usr/bin/node`; a process must have all of them. */
  readonly selectors: readonly string[];
  /** In seconds; default: the server's. The agent renews at half of it, counted from ten seconds before its issue. */
  readonly x509TtlSeconds?: number;
  readonly jwtTtlSeconds?: number;
  /** Names of trust domains whose bundles the workload gets too. */
  readonly federatesWith?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly hint?: string;
}

function entryArguments(entry: SpireEntry, parentId: string): string[] {
  const { x509TtlSeconds, jwtTtlSeconds, hint } = entry;
  return [
    ...['-parentID', parentId, '-spiffeID', entry.id],
    ...entry.selectors.flatMap((selector) => ['-selector', selector]),
    ...(entry.federatesWith ?? []).flatMap((name) => ['-federatesWith', `spiffe://${name}`]),
    ...(entry.dnsNames ?? []).flatMap((name) => ['-dns', name]),
    ...(x509TtlSeconds === undefined ? [] : ['-x509SVIDTTL', String(x509TtlSeconds)]),
    ...(jwtTtlSeconds === undefined ? [] : ['-jwtSVIDTTL', String(jwtTtlSeconds)]),
    ...(hint === undefined ? [] : ['-hint', hint]),
  ];
}

/** Runs a program to its end. @throws RealStackError `command_failed` with the last line it wrote */
export function runProgram(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 30_000, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = `${stderr}${stdout}`.trim().split('\n').at(-1);
      const what = args.filter((arg) => !arg.startsWith('/')).slice(0, 2);
      reject(new RealStackError('command_failed', `${what.join(' ')} failed: ${said || error.message}`));
    });
  });
}

/** The server's own command line over its administrative socket. */
export class SpireServerCommands {
  readonly #program: string;
  readonly #socket: string;
  readonly #folder: string;

  constructor(options: { program: string; socket: string; folder: string }) {
    this.#program = options.program;
    this.#socket = options.socket;
    this.#folder = options.folder;
  }

  async isHealthy(): Promise<boolean> {
    return this.run(['healthcheck']).then(
      () => true,
      () => false,
    );
  }

  /** A one-time token, good for ten minutes. */
  async generateJoinToken(): Promise<Secret<string>> {
    const { value } = JSON.parse(await this.run(['token', 'generate', '-output', 'json'])) as { value: string };
    return new Secret(value);
  }

  /** Resolves with the id of the entry, which the agent learns within a second. */
  async createEntry(entry: SpireEntry, parentId: string): Promise<string> {
    const output = await this.run(['entry', 'create', '-output', 'json', ...entryArguments(entry, parentId)]);
    const { results } = JSON.parse(output) as { results: readonly { entry: { id: string } }[] };
    const [result] = results;
    if (result === undefined) throw new RealStackError('command_failed', 'entry create failed: no result');
    return result.entry.id;
  }

  /** Replaces what the entry says. Also with the same content it counts as a newer one. */
  async updateEntry(entryId: string, entry: SpireEntry, parentId: string): Promise<void> {
    await this.run(['entry', 'update', '-entryID', entryId, ...entryArguments(entry, parentId)]);
  }

  async deleteEntry(entryId: string): Promise<void> {
    await this.run(['entry', 'delete', '-entryID', entryId]);
  }

  /** The trust domain's bundle. */
  bundle(format: 'spiffe' | 'pem'): Promise<string> {
    return this.run(['bundle', 'show', '-format', format]);
  }

  /** Trusts another trust domain from now on, by its bundle in SPIFFE format. */
  async setFederatedBundle(trustDomain: string, bundle: string): Promise<void> {
    const path = join(this.#folder, `${trustDomain}.bundle.json`);
    writeFileSync(path, bundle);
    try {
      await this.run(['bundle', 'set', '-id', `spiffe://${trustDomain}`, '-format', 'spiffe', '-path', path]);
    } finally {
      rmSync(path, { force: true });
    }
  }

  /** Any command, with the socket added. */
  run(args: readonly string[]): Promise<string> {
    return runProgram(this.#program, [...args, '-socketPath', this.#socket]);
  }
}
