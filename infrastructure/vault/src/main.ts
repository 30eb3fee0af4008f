#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { messageOf } from '@neural-hive/security/common';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { z } from 'zod';
import { applyVaultSetup } from './apply/apply-setup.ts';
import type { SetupReport } from './apply/report.ts';
import { setupParameters } from './setup/parameters.ts';
import { platformSetup } from './setup/platform-setup.ts';

const USAGE = `usage: vault-setup --address https://host:port --token-file FILE --parameters FILE [--ca FILE] [--namespace NAME] [--plan] [--json]

Brings a Vault, OpenBao or development authority to what the platform needs. Running it again changes nothing.
  --parameters  JSON with lifetimes, jwt, kubernetes, spiffeBundle, postgres, mongodb, redis; secrets belong here, so keep it 0600
  --plan        only reads, and prints what would be done
  --json        the report as one line of JSON
Exit codes: 0 done, 1 refused or failed, 2 wrong arguments or parameters.`;

class UsageError extends Error {}

function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--${option}: ${messageOf(error)}`, { cause: error });
  }
}

function required(value: string | undefined, option: string): string {
  if (value === undefined || value === '') throw new UsageError(`--${option} is missing\n${USAGE}`);
  return value;
}

function readParameters(path: string): z.infer<typeof setupParameters> {
  let value: unknown;
  try {
    value = JSON.parse(readText(path, 'parameters'));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    // The parser's message quotes the file, which holds secrets.
    throw new UsageError('--parameters: the file is not JSON');
  }
  const parsed = setupParameters.safeParse(value);
  if (!parsed.success) throw new UsageError(`--parameters:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function parseArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        address: { type: 'string' },
        ca: { type: 'string' },
        namespace: { type: 'string' },
        'token-file': { type: 'string' },
        parameters: { type: 'string' },
        plan: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n${USAGE}`, { cause: error });
  }
}

function printReport(report: SetupReport, plan: boolean): void {
  const line = (text: string): boolean => process.stdout.write(`${text}\n`);
  for (const name of report.created) line(`+ ${name}`);
  for (const { name, fields } of report.updated) line(`~ ${name}: ${fields.join(', ')}`);
  for (const { name, reason } of report.unavailable) line(`! ${name}: ${reason}`);
  const counts = `${report.created.length} created, ${report.updated.length} updated, ${report.unchanged.length} unchanged`;
  line(`${counts}, ${report.unavailable.length} unavailable${plan ? ' (plan: nothing was written)' : ''}`);
}

async function main(args: string[]): Promise<void> {
  const options = parseArguments(args);
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const { address, ca, namespace, 'token-file': tokenFile, plan, json } = options;
  const parameters = readParameters(required(options.parameters, 'parameters'));
  const token = readText(required(tokenFile, 'token-file'), 'token-file').trim();
  const client = await VaultClient.open({
    address: required(address, 'address'),
    auth: tokenAuth({ token }),
    openTimeoutMs: 10_000,
    ...(ca === undefined ? {} : { ca: readText(ca, 'ca') }),
    ...(namespace === undefined ? {} : { namespace }),
  });
  try {
    const report = await applyVaultSetup(client, platformSetup(parameters), { plan });
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printReport(report, plan);
  } finally {
    await client.close();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  const wrong = error instanceof UsageError || error instanceof TypeError || error instanceof RangeError;
  process.exitCode = wrong ? 2 : 1;
});
