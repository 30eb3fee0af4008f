import { type Fields, isRecord } from '../../api/fields.ts';
import type { Answer, Backend, Call, Route } from '../../api/route.ts';
import { formatDuration } from '../../duration.ts';
import { Fault, invalid, notFound } from '../../fault.ts';
import type { Parts } from '../../parts.ts';
import { childrenOf, describeSecret, describeVersion, mergePatch } from './kv-answers.ts';
import { changeVersions, emptySecret, isDeleted, type KvSecret, type KvSettings, withVersion } from './kv-secret.ts';

interface Saved {
  readonly settings: KvSettings;
  readonly secrets: Record<string, KvSecret>;
}

const NO_SETTINGS: KvSettings = { maxVersions: 0, casRequired: false, deleteVersionAfterSeconds: 0 };

/** KV v2: versions, check-and-set, soft deletion, custom metadata. */
export function kvBackend(parts: Parts, saved: unknown): Backend {
  const state = (saved ?? { settings: NO_SETTINGS, secrets: {} }) as Saved;
  let engine = state.settings;
  const secrets = new Map(Object.entries(state.secrets));
  const now = (): number => parts.clock.now();

  const pathOf = (call: Call): string => {
    const path = call.params.path ?? '';
    if (path === '') throw invalid('missing path');
    return path;
  };
  const current = (call: Call): KvSecret => {
    const secret = secrets.get(pathOf(call));
    if (secret === undefined) throw notFound();
    return secret;
  };

  const read = (call: Call): Answer => {
    const secret = current(call);
    const number = Number(call.query.get('version') ?? 0) || secret.currentVersion;
    const version = secret.versions[number];
    if (version === undefined) throw notFound();
    const gone = version.destroyed || isDeleted(version, now());
    const data = { data: gone ? null : version.data, metadata: describeVersion(secret, number, version) };
    if (gone) throw new Fault('not_found', 'the version is deleted', { errors: [], data });
    return { data };
  };
  const store = (path: string, secret: KvSecret, data: Readonly<Record<string, unknown>>, fields: Fields): Answer => {
    const options = fields.record('options') ?? {};
    const cas = options.cas === undefined ? undefined : Number(options.cas);
    if (cas !== undefined && !Number.isSafeInteger(cas)) throw invalid('error parsing check-and-set parameter');
    const next = withVersion(secret, data, { cas, engine, nowMs: now() });
    secrets.set(path, next);
    const version = next.versions[next.currentVersion];
    return { data: version === undefined ? {} : describeVersion(next, next.currentVersion, version) };
  };
  const write = (call: Call): Answer => {
    const data = call.fields.get('data');
    if (data === undefined) throw invalid('no data provided');
    if (!isRecord(data)) throw invalid('error converting input for field "data": expected an object');
    return store(pathOf(call), secrets.get(pathOf(call)) ?? emptySecret(now()), data, call.fields);
  };
  const patch = (call: Call): Answer => {
    const secret = current(call);
    const version = secret.versions[secret.currentVersion];
    if (version === undefined || version.data === null || version.destroyed || isDeleted(version, now()))
      throw notFound();
    const change = call.fields.record('data');
    if (change === undefined) throw invalid('no data provided');
    return store(pathOf(call), secret, mergePatch(version.data, change), call.fields);
  };
  const changeNumbered =
    (change: Parameters<typeof changeVersions>[2]) =>
    (call: Call): Answer => {
      const numbers = (call.fields.get('versions') as unknown[] | undefined)?.map(Number) ?? [];
      if (numbers.length === 0) throw invalid('no version number provided');
      secrets.set(pathOf(call), changeVersions(current(call), numbers, change, now()));
      return {};
    };
  const deleteLatest = (call: Call): Answer => {
    const secret = secrets.get(pathOf(call));
    if (secret === undefined) return {};
    const change = changeVersions(
      secret,
      [secret.currentVersion],
      (version) => ({ ...version, deletedAtMs: now() }),
      now(),
    );
    secrets.set(pathOf(call), change);
    return {};
  };
  const writeMetadata = (call: Call): Answer => {
    const { fields } = call;
    const secret = secrets.get(pathOf(call)) ?? emptySecret(now());
    secrets.set(pathOf(call), {
      ...secret,
      ...readSettings(fields, secret),
      customMetadata: fields.textRecord('custom_metadata') ?? secret.customMetadata,
      metadataVersion: secret.metadataVersion + 1,
      updatedAtMs: now(),
    });
    return {};
  };
  const patchMetadata = (call: Call): Answer => {
    const secret = current(call);
    const change = call.fields.record('custom_metadata') ?? {};
    if (Object.values(change).some((value) => value !== null && typeof value !== 'string')) {
      throw invalid('error converting input for field "custom_metadata": expected texts');
    }
    secrets.set(pathOf(call), {
      ...secret,
      ...readSettings(call.fields, secret),
      customMetadata: mergePatch(secret.customMetadata ?? {}, change) as Record<string, string>,
      metadataVersion: secret.metadataVersion + 1,
      updatedAtMs: now(),
    });
    return {};
  };
  const list = (call: Call): Answer => {
    const keys = childrenOf(secrets.keys(), call.params.path ?? '');
    if (keys.length === 0) throw notFound();
    return { data: { keys } };
  };

  const routes: Route[] = [
    {
      path: 'config',
      read: () => ({
        data: {
          cas_required: engine.casRequired,
          delete_version_after: formatDuration(engine.deleteVersionAfterSeconds),
          max_versions: engine.maxVersions,
          metadata_cas_required: false,
        },
      }),
      write: ({ fields }) => {
        engine = readSettings(fields, engine);
        return {};
      },
    },
    {
      path: 'data/*path',
      exists: ({ params }) => secrets.has(params.path ?? ''),
      read,
      write,
      patch,
      delete: deleteLatest,
    },
    {
      path: 'delete/*path',
      write: changeNumbered((version) => ({
        ...version,
        deletedAtMs: version.destroyed ? version.deletedAtMs : now(),
      })),
    },
    {
      path: 'undelete/*path',
      write: changeNumbered((version) => (version.destroyed ? version : { ...version, deletedAtMs: null })),
    },
    { path: 'destroy/*path', write: changeNumbered((version) => ({ ...version, data: null, destroyed: true })) },
    {
      path: 'metadata/*path',
      exists: ({ params }) => secrets.has(params.path ?? ''),
      read: (call) => ({ data: describeSecret(current(call)) }),
      write: writeMetadata,
      patch: patchMetadata,
      delete: (call) => {
        secrets.delete(pathOf(call));
        return {};
      },
      list,
    },
  ];
  return { routes, save: (): Saved => ({ settings: engine, secrets: Object.fromEntries(secrets) }) };
}

function readSettings(fields: Fields, present: KvSettings): KvSettings {
  return {
    maxVersions: fields.integer('max_versions') ?? present.maxVersions,
    casRequired: fields.flag('cas_required') ?? present.casRequired,
    deleteVersionAfterSeconds: fields.seconds('delete_version_after') ?? present.deleteVersionAfterSeconds,
  };
}
