import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIENCES, type KV_PATHS } from '@neural-hive/contracts';
import type { KvUserStep } from '@neural-hive/security/credentials';
import { JwtSource } from '@neural-hive/security/spiffe';
import { USER_ROTATOR_ROLE } from '@neural-hive/vault-setup';
import type { RotateOptions } from '../../commands/rotate.ts';
import { EXIT, Failure } from '../../failure.ts';
import type { Output } from '../../output.ts';
import type { Home } from '../home.ts';

/** A KV entry that holds the login of a service. */
export type LoginPath = (typeof KV_PATHS)['orchestratorKafka' | 'workerKafka' | 'orchestratorMongodb'];

export interface RotatorPlace {
  readonly home: Home;
  /** Where the operator gets its identity. */
  readonly socket: string;
  readonly vaultAddress: string;
}

const WRITTEN: KvUserStep = 'written';

/** Seconds that the readers of an entry may take to move to its new login. */
const DEADLINE_SECONDS = 60;

/**
 * Runs `hive rotate` with what it needs to log in as the rotator: the operator's JWT-SVID, which OpenBao verifies with the
 * keys that SPIRE publishes. Resolves with the name of the new user.
 */
export async function rotateAsOperator(
  { home, socket, vaultAddress }: RotatorPlace,
  {
    path,
    adminPath,
    onWritten = () => undefined,
    ...first
  }: {
    readonly path: LoginPath;
    readonly adminPath: string;
    readonly template?: string;
    /** The new login is in KV, and its readers are waited for. */
    readonly onWritten?: () => void;
  },
  command: (options: RotateOptions, output: Output) => Promise<number>,
): Promise<string> {
  const jwtFile = join(home.run, 'operator.jwt');
  const jwt = await JwtSource.open({ endpoint: `unix://${socket}` });
  let result: { readonly username?: string } = {};
  try {
    const { token } = await jwt.fetchJwtSvid({ audience: AUDIENCES.vault });
    writeFileSync(jwtFile, token.reveal(), { mode: 0o600 });
    const options: RotateOptions = {
      path,
      adminPath,
      mount: 'secret',
      consumer: [],
      // For an entry that nobody reads yet.
      allowNoConsumers: first.template !== undefined,
      deadline: String(DEADLINE_SECONDS),
      vaultAddress,
      vaultCa: home.caFile,
      vaultRole: USER_ROTATOR_ROLE,
      vaultJwtFile: jwtFile,
      vaultAuthMount: 'jwt',
      ...first,
    };
    const code = await command(options, {
      json: true,
      line: (text) => {
        if (text.startsWith(`${WRITTEN} `)) onWritten();
      },
      heading: () => undefined,
      step: (_, work) => work(),
      result: (value) => {
        result = value as typeof result;
      },
    });
    if (code !== EXIT.ok)
      throw new Failure(EXIT.fellShort, `A reader of ${path} did not move to its new login in time`);
  } finally {
    rmSync(jwtFile, { force: true });
    await jwt.close();
  }
  return result.username ?? '';
}
