import type { Manifests } from '../manifests.ts';
import { entryCommands, optionsOf } from './entry-job.ts';

/** A registration entry, as it is asked for and as a server shows it. */
export interface RegisteredEntry {
  readonly id: string;
  readonly spiffeId: string;
  readonly parentId: string;
  readonly selectors: readonly string[];
  readonly dnsNames: readonly string[];
  readonly x509TtlSeconds: number;
}

/** What the Job asks for, by id. */
export function wantedEntries(manifests: Manifests): readonly RegisteredEntry[] {
  const updates = entryCommands(manifests)
    .map(optionsOf)
    .filter(({ action }) => action === 'update');
  return updates
    .map(({ one, many }) => ({
      id: one.get('-entryID') ?? '',
      spiffeId: one.get('-spiffeID') ?? '',
      parentId: one.get('-parentID') ?? '',
      selectors: [...(many.get('-selector') ?? [])].sort(),
      dnsNames: many.get('-dns') ?? [],
      x509TtlSeconds: Number(one.get('-x509SVIDTTL') ?? 0),
    }))
    .sort((one, other) => one.id.localeCompare(other.id));
}

interface ShownId {
  readonly trust_domain: string;
  readonly path: string;
}

interface ShownEntry {
  readonly id: string;
  readonly spiffe_id: ShownId;
  readonly parent_id: ShownId;
  readonly selectors: readonly { readonly type: string; readonly value: string }[];
  readonly dns_names: readonly string[];
  readonly x509_svid_ttl: number;
}

/** The answer of `entry show -output json`, by id. */
export function shownEntries(json: string): readonly RegisteredEntry[] {
  const { entries } = JSON.parse(json) as { entries: readonly ShownEntry[] };
  const text = ({ trust_domain, path }: ShownId): string => `spiffe://${trust_domain}${path}`;
  return entries
    .map((entry) => ({
      id: entry.id,
      spiffeId: text(entry.spiffe_id),
      parentId: text(entry.parent_id),
      selectors: entry.selectors.map(({ type, value }) => `${type}:${value}`).sort(),
      dnsNames: entry.dns_names,
      x509TtlSeconds: entry.x509_svid_ttl,
    }))
    .sort((one, other) => one.id.localeCompare(other.id));
}
