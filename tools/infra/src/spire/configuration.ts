import { fail } from 'node:assert/strict';
import { messageOf } from '@neural-hive/security/common';
import { type Manifest, Manifests, type Path } from '../manifests.ts';
import { changed, type Mutation } from '../mutation.ts';

/** The ConfigMaps that hold a configuration, and the file in each. */
export const CONFIGURATIONS = {
  'spire-server': 'server.conf',
  'spire-agent': 'agent.conf',
  'spire-oidc': 'oidc.conf',
} as const;

export type ConfigurationName = keyof typeof CONFIGURATIONS;

export type Configuration = Readonly<Record<string, unknown>>;

export function configurationText(manifests: Manifests, name: ConfigurationName): string {
  const text = manifests.at('ConfigMap', name, ['data', CONFIGURATIONS[name]]);
  return typeof text === 'string' ? text : fail(`ConfigMap ${name} has no ${CONFIGURATIONS[name]}`);
}

/** @throws AssertionError when it is not a JSON object */
export function configuration(manifests: Manifests, name: ConfigurationName): Configuration {
  try {
    return JSON.parse(configurationText(manifests, name)) as Configuration;
  } catch (error) {
    return fail(`ConfigMap ${name}: ${messageOf(error)}`);
  }
}

/** A change inside the JSON of a configuration; `undefined` takes the field away. */
export function reconfigured(name: ConfigurationName, path: Path, to: unknown): Mutation {
  const file = CONFIGURATIONS[name];
  const within = { apiVersion: '', kind: 'Configuration', metadata: { name } };
  const inside = changed(within.kind, name, path, to);
  const rewrite = (text: unknown): unknown => {
    const parsed: Manifest = { ...(JSON.parse(String(text)) as Configuration), ...within };
    const [result] = inside.apply(new Manifests([parsed])).all;
    const { apiVersion: _, kind: __, metadata: ___, ...rest } = result ?? parsed;
    return `${JSON.stringify(rest, undefined, 2)}\n`;
  };
  const outside = changed('ConfigMap', name, ['data', file], rewrite);
  return { what: `${file} with another ${typeof path === 'string' ? path : path.join('.')}`, apply: outside.apply };
}
