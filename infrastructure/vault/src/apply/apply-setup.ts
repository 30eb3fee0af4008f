import { type Fields, type Mount, type Policy, renderPolicy, type VaultSetup } from '../setup/setup.ts';
import { applyEntry } from './apply-entry.ts';
import { ReportBuilder, type SetupReport } from './report.ts';
import { readIfPresent, type VaultRequester, write } from './requester.ts';
import { isMissingPlugin, type Run } from './run.ts';
import { SetupError } from './setup-error.ts';

export interface ApplyOptions {
  /** Only reads, and reports what would be done. Default false. */
  readonly plan?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Brings a server to the setup: reads what is there, writes only what differs, takes nothing away. A second call
 * changes nothing. Works on the development authority, OpenBao and Vault alike; what a product cannot serve is
 * reported as unavailable.
 *
 * @throws SetupError where something else is in the way
 * @throws VaultError where the server refuses or cannot be reached
 */
export async function applyVaultSetup(
  client: VaultRequester,
  setup: VaultSetup,
  options: ApplyOptions = {},
): Promise<SetupReport> {
  const run: Run = { client, plan: options.plan ?? false, signal: options.signal, report: new ReportBuilder() };
  for (const policy of setup.policies) await applyPolicy(run, policy);
  await applyMounts(run, 'auth', setup.authMethods);
  await applyMounts(run, 'mounts', setup.engines);
  return run.report.build();
}

async function applyPolicy({ client, plan, signal, report }: Run, policy: Policy): Promise<void> {
  const path = `sys/policies/acl/${policy.name}`;
  const name = `policy ${policy.name}`;
  const wanted = renderPolicy(policy);
  const found = await readIfPresent(client, path, signal);
  if (found?.policy === wanted) return report.unchanged(name);
  if (!plan) await write(client, path, { policy: wanted }, signal);
  if (found === undefined) report.created(name);
  else report.updated(name, ['policy']);
}

type MountKind = 'auth' | 'mounts';

const LABELS = { auth: 'auth method', mounts: 'engine' } as const;

async function applyMounts(run: Run, kind: MountKind, mounts: readonly Mount[]): Promise<void> {
  if (mounts.length === 0) return;
  const present = (await readIfPresent(run.client, `sys/${kind}`, run.signal)) ?? {};
  for (const mount of mounts) {
    const name = `${LABELS[kind]} ${mount.path}/`;
    const found = present[`${mount.path}/`] as Fields | undefined;
    const usable =
      found === undefined ? await enable(run, kind, name, mount) : await compare(run, kind, name, mount, found);
    for (const entry of mount.entries) {
      if (!usable) run.report.unavailable(entry.name, `${name} is not there`);
      else await applyEntry(run, `${kind === 'auth' ? 'auth/' : ''}${mount.path}`, entry, found === undefined);
    }
  }
}

/** Whether the product has the method or engine. */
async function enable(run: Run, kind: MountKind, name: string, mount: Mount): Promise<boolean> {
  const { type, options, maxLeaseSeconds } = mount;
  const config = maxLeaseSeconds === undefined ? {} : { config: { max_lease_ttl: `${maxLeaseSeconds}s` } };
  try {
    if (!run.plan) {
      const body = { type, ...(options === undefined ? {} : { options }), ...config };
      await run.client.request({ method: 'POST', path: `sys/${kind}/${mount.path}`, body, signal: run.signal });
    }
  } catch (error) {
    if (!isMissingPlugin(error)) throw error;
    run.report.unavailable(name, `this server has no plugin "${type}"`);
    return false;
  }
  run.report.created(name);
  return true;
}

async function compare(run: Run, kind: MountKind, name: string, mount: Mount, found: Fields): Promise<boolean> {
  const version = (options: unknown): string => String((options as Fields | null | undefined)?.version ?? '');
  if (found.type !== mount.type || version(found.options) !== version(mount.options)) {
    const there = `${String(found.type)} ${version(found.options)}`.trim();
    const wanted = `${mount.type} ${version(mount.options)}`.trim();
    const rule = `${name} is a mount of type ${there} and must be ${wanted}: move it to another path`;
    throw new SetupError('mount_conflict', rule);
  }
  const longest = (found.config as Fields | undefined)?.max_lease_ttl;
  if (mount.maxLeaseSeconds === undefined || Number(longest) === mount.maxLeaseSeconds) {
    run.report.unchanged(name);
    return true;
  }
  if (!run.plan) {
    const path = `sys/${kind}/${mount.path}/tune`;
    await write(run.client, path, { max_lease_ttl: `${mount.maxLeaseSeconds}s` }, run.signal);
  }
  run.report.updated(name, ['max_lease_ttl']);
  return true;
}
