import { join } from 'node:path';
import { freePort } from '@neural-hive/real-stack';
import { at, listAt } from '../../manifests.ts';

/** Where one server of the chart runs on this machine. */
export interface Place {
  /** The pod's name: `vault-0`. */
  readonly name: string;
  readonly folder: string;
  /** Where the audit log is belongs to the cluster's state, so the servers of one machine share it. */
  readonly auditFolder: string;
  readonly api: number;
  readonly cluster: number;
  readonly metrics: number;
}

export async function findPlaces(
  names: readonly string[],
  folder: string,
  auditFolder: string,
): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const name of names) {
    const [api, cluster, metrics] = [await freePort(), await freePort(), await freePort()];
    places.push({ name, folder: join(folder, name), auditFolder, api, cluster, metrics });
  }
  return places;
}

export function addressOf({ api }: Place): string {
  return `https://127.0.0.1:${api}`;
}

/**
 * What the chart rendered, for this machine: the names of the servers become the loopback address with a port each, and
 * the mounted folders become folders of this run. Nothing else is changed.
 */
export function localised(text: string, own: Place, places: readonly Place[]): string {
  const peers = places.flatMap((place): [string, string][] =>
    ['.vault.svc.cluster.local', ''].map((domain) => [
      `https://${place.name}.vault-internal${domain}:8200`,
      addressOf(place),
    ]),
  );
  const replacements: readonly (readonly [string, string])[] = [
    ...peers,
    [`https://${own.name}.vault-internal.vault.svc.cluster.local:8201`, `https://127.0.0.1:${own.cluster}`],
    ['https://vault.vault.svc.cluster.local:8200', addressOf(own)],
    ['https://127.0.0.1:8200', addressOf(own)],
    ['[::]:8200', `127.0.0.1:${own.api}`],
    ['[::]:8201', `127.0.0.1:${own.cluster}`],
    ['[::]:8202', `127.0.0.1:${own.metrics}`],
    ['/vault/userconfig/vault-tls', join(own.folder, 'tls')],
    ['/vault/data', join(own.folder, 'data')],
    ['/vault/audit', own.auditFolder],
    ['/vault/config', join(own.folder, 'config')],
    ['/etc/vault-operations', join(own.folder, 'operations')],
    ['/etc/vault-parameters', join(own.folder, 'operations')],
    ['/var/run/secrets/vault', join(own.folder, 'operations')],
    ['/scratch', join(own.folder, 'scratch')],
    ['/home/vault', own.folder],
  ];
  return replacements.reduce((changing, [from, to]) => changing.replaceAll(from, to), text);
}

/** The environment of a container as the kubelet makes it: `$(NAME)` is a variable that stands before. */
export function containerEnvironment(container: unknown, own: Place, places: readonly Place[]): Record<string, string> {
  const made: Record<string, string> = {};
  for (const variable of listAt(container, 'env')) {
    const field = at(variable, 'valueFrom.fieldRef.fieldPath');
    const value = field === undefined ? String(at(variable, 'value')) : field === 'metadata.name' ? own.name : 'vault';
    const expanded = value.replace(/\$\(([A-Z0-9_]+)\)/g, (whole, name: string) => made[name] ?? whole);
    made[String(at(variable, 'name'))] = localised(expanded, own, places);
  }
  return made;
}

/** The arguments of a container, with its variables. */
export function containerArguments(
  container: unknown,
  own: Place,
  places: readonly Place[],
): { readonly args: readonly string[]; readonly env: Record<string, string> } {
  const env = containerEnvironment(container, own, places);
  const args = listAt(container, 'args').map((arg) =>
    localised(String(arg), own, places).replace(/\$\(([A-Z0-9_]+)\)/g, (whole, name: string) => env[name] ?? whole),
  );
  return { args, env };
}
