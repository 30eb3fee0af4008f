import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { assertSocketPath } from '@neural-hive/security/common';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { noteUse } from '../used.ts';
import {
  agentConfiguration,
  oidcConfiguration,
  type SpirePaths,
  type SpireSettings,
  serverConfiguration,
  spirePaths,
} from './configuration.ts';
import { installSpire, SPIRE_VERSION } from './install.ts';
import { runProgram, type SpireEntry, SpireServerCommands } from './server-commands.ts';

export interface StartSpireOptions extends Partial<SpireSettings> {
  /** Also serve JWT keys by OpenID Connect discovery. Without `jwtIssuer` its address becomes the issuer. */
  readonly oidc?: boolean;
  /** Also serve the bundle, profile `https_spiffe`. */
  readonly bundleEndpoint?: boolean;
  /**
   * Where the agent serves the Workload API, for workloads of other users too: its folder must be one that they can cross.
   * Default: in the private folder of the rest.
   */
  readonly agentSocket?: string;
  /** The folder with the programs. Default: SPIRE_BINARIES, else the installed ones. */
  readonly binaries?: string;
  /** What the programs write to standard error; their logs go to files. */
  readonly log?: (line: string) => void;
}

export interface OidcProvider {
  /** `https://127.0.0.1:<port>`; `/.well-known/openid-configuration` and `/keys` */
  readonly address: string;
  /** The authority of its certificate, in PEM. */
  readonly ca: string;
}

const READY_LIMIT_MS = 30_000;

/** A server, an agent and, when asked for, an OIDC provider of one trust domain. They end with this process. */
export class SpireStack implements AsyncDisposable {
  readonly trustDomain: string;
  /** The Workload API: `unix:///…` */
  readonly endpoint: string;
  readonly issuer: string | undefined;
  readonly oidc: OidcProvider | undefined;
  /** `https://127.0.0.1:<port>`, authenticated by the SPIFFE ID `spiffe://<trust domain>/spire/server`. */
  readonly bundleEndpoint: string | undefined;
  /** The server's command line. */
  readonly server: SpireServerCommands;
  readonly agentId: string;
  /** The folder with everything; `server.log`, `agent.log` and `oidc.log` are in it. */
  readonly folder: string;
  readonly #parts: StackParts;
  #agent: GuardedProcess | undefined;

  private constructor(parts: StackParts) {
    this.#parts = parts;
    this.trustDomain = parts.settings.trustDomain;
    this.endpoint = `unix://${parts.paths.agentSocket}`;
    this.issuer = parts.settings.jwtIssuer;
    this.oidc = parts.oidc;
    this.bundleEndpoint = parts.bundleEndpoint;
    this.server = parts.commands;
    this.agentId = parts.agentId;
    this.folder = parts.folder;
  }

  /** Resolves when all parts answer. @throws RealStackError `start_failed` */
  static async start(options: StartSpireOptions = {}): Promise<SpireStack> {
    const binaries = options.binaries ?? process.env.SPIRE_BINARIES ?? (await installSpire());
    const folder = mkdtempSync(join(tmpdir(), 'spire-'));
    const paths = spirePaths(folder, options.agentSocket);
    assertSocketPath(paths.agentSocket);
    const processes: GuardedProcess[] = [];
    try {
      const parts = await startParts({ options, binaries, folder, paths, processes });
      const stack = new SpireStack(parts);
      await stack.startAgent();
      noteUse('spire', SPIRE_VERSION);
      return stack;
    } catch (error) {
      for (const process of processes.reverse()) await process.stop();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Resolves with the id of the entry. The agent hands out the identity within about a second. */
  createEntry(entry: SpireEntry): Promise<string> {
    return this.server.createEntry(entry, this.agentId);
  }

  /** Writes the entry anew, upon which the agent fetches a new X509-SVID for its workloads within about a second. */
  updateEntry(entryId: string, entry: SpireEntry): Promise<void> {
    return this.server.updateEntry(entryId, entry, this.agentId);
  }

  deleteEntry(entryId: string): Promise<void> {
    return this.server.deleteEntry(entryId);
  }

  /** Trusts the other trust domain by its bundle of this moment. */
  async federateWith(other: SpireStack): Promise<void> {
    await this.server.setFederatedBundle(other.trustDomain, await other.server.bundle('spiffe'));
  }

  /** Starts the agent after `stopAgent`. It makes a new socket and forgets the keys of its workloads. Idempotent. */
  async startAgent(): Promise<void> {
    if (this.#agent?.ended === false) return;
    const { binaries, paths, environment, log } = this.#parts;
    const program = join(binaries, 'spire-agent');
    mkdirSync(dirname(paths.agentSocket), { recursive: true });
    const agent = new GuardedProcess({
      name: 'SPIRE agent',
      program,
      args: ['run', '-config', paths.agentConfiguration],
      env: environment,
      log,
    });
    this.#agent = agent;
    const check = (): Promise<boolean> =>
      runProgram(program, ['healthcheck', '-socketPath', paths.agentSocket]).then(
        () => true,
        () => false,
      );
    const isReady = async (): Promise<boolean> => existsSync(paths.agentSocket) && (await check());
    await agent.ready(isReady, { limitMs: READY_LIMIT_MS, reason: () => lastError(paths.agentLog) });
  }

  /** Ends the agent; the server goes on. Idempotent. */
  async stopAgent(): Promise<void> {
    await this.#agent?.stop();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#parts.oidcProcess?.stop();
    await this.stopAgent();
    await this.#parts.serverProcess.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

interface StackParts {
  readonly settings: SpireSettings;
  readonly binaries: string;
  readonly folder: string;
  readonly paths: SpirePaths;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
  readonly commands: SpireServerCommands;
  readonly agentId: string;
  readonly serverProcess: GuardedProcess;
  readonly oidcProcess: GuardedProcess | undefined;
  readonly oidc: OidcProvider | undefined;
  readonly bundleEndpoint: string | undefined;
}

/** Everything but the agent, which is only configured. */
async function startParts(given: {
  readonly options: StartSpireOptions;
  readonly binaries: string;
  readonly folder: string;
  readonly paths: SpirePaths;
  readonly processes: GuardedProcess[];
}): Promise<StackParts> {
  const { options, binaries, folder, paths, processes } = given;
  const { log = () => {} } = options;
  const ports = {
    server: await freePort(),
    oidc: options.oidc === true ? await freePort() : undefined,
    bundleEndpoint: options.bundleEndpoint === true ? await freePort() : undefined,
  };
  const address = ports.oidc === undefined ? undefined : `https://127.0.0.1:${ports.oidc}`;
  const jwtIssuer = options.jwtIssuer ?? address;
  const settings: SpireSettings = { ...options, trustDomain: options.trustDomain ?? 'example.org', jwtIssuer };
  const environment = { PATH: '/usr/bin:/bin', HOME: folder };
  for (const data of [paths.serverData, paths.agentData]) mkdirSync(data, { mode: 0o700 });
  if (settings.upstreamAuthority !== undefined) {
    writeFileSync(paths.upstreamCertificate, settings.upstreamAuthority.certificatePem);
    writeFileSync(paths.upstreamKey, settings.upstreamAuthority.keyPem, { mode: 0o600 });
  }
  writeJson(paths.serverConfiguration, serverConfiguration(settings, paths, ports));
  writeJson(paths.agentConfiguration, agentConfiguration(settings, paths, ports));

  const program = join(binaries, 'spire-server');
  const serverProcess = new GuardedProcess({
    name: 'SPIRE server',
    program,
    args: ['run', '-config', paths.serverConfiguration],
    env: environment,
    removeFolder: folder,
    log,
  });
  processes.push(serverProcess);
  const commands = new SpireServerCommands({ program, socket: paths.serverSocket, folder });
  const isReady = async (): Promise<boolean> => existsSync(paths.serverSocket) && (await commands.isHealthy());
  await serverProcess.ready(isReady, { limitMs: READY_LIMIT_MS, reason: () => lastError(paths.serverLog) });

  const token = await commands.generateJoinToken();
  writeFileSync(paths.joinToken, token.reveal(), { mode: 0o600 });
  writeFileSync(paths.trustBundle, await commands.bundle('pem'));
  const agentId = `spiffe://${settings.trustDomain}/spire/agent/join_token/${token.reveal()}`;

  const started = { settings, binaries, folder, paths, environment, log, commands, agentId, serverProcess };
  const bundleEndpoint = ports.bundleEndpoint === undefined ? undefined : `https://127.0.0.1:${ports.bundleEndpoint}`;
  if (ports.oidc === undefined || address === undefined) {
    return { ...started, bundleEndpoint, oidcProcess: undefined, oidc: undefined };
  }

  const ca = issueOidcCertificate(paths);
  writeJson(paths.oidcConfiguration, oidcConfiguration(paths, { port: ports.oidc, issuer: jwtIssuer ?? address }));
  const oidcProcess = new GuardedProcess({
    name: 'SPIRE OIDC provider',
    program: join(binaries, 'oidc-discovery-provider'),
    args: ['-config', paths.oidcConfiguration],
    env: environment,
    log,
  });
  processes.push(oidcProcess);
  const answers = () => isServed(`${address}/keys`, ca);
  await oidcProcess.ready(answers, { limitMs: READY_LIMIT_MS, reason: () => lastError(paths.oidcLog) });
  return { ...started, bundleEndpoint, oidcProcess, oidc: { address, ca } };
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value, undefined, 2), { mode: 0o600 });
}

/** Writes a certificate for the loopback address; returns its authority. */
function issueOidcCertificate(paths: SpirePaths): string {
  const authority = CertificateAuthority.create('oidc.test');
  const { certificateChainPem, privateKey } = authority.issueTlsCertificate({
    ipAddresses: ['127.0.0.1'],
    dnsNames: ['localhost'],
    ttlSeconds: 24 * 3600,
  });
  writeFileSync(paths.oidcCertificate, certificateChainPem);
  writeFileSync(paths.oidcKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return authority.export().chainPem;
}

function isServed(url: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(url, { ca, agent: false, timeout: 2_000 }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode === 200));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(false));
    outgoing.end();
  });
}

/** What a program's log last complained of. */
function lastError(log: string): string | undefined {
  if (!existsSync(log)) return undefined;
  const line = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .findLast((one) => /level=(error|fatal)/.test(one));
  return line?.replace(/^time=\S+ /, '');
}

/**
 * Starts a real SPIRE of one trust domain on free ports and sockets in a short private folder. It ends with this
 * process, even when this process is killed.
 */
export function startSpire(options: StartSpireOptions = {}): Promise<SpireStack> {
  return SpireStack.start(options);
}
