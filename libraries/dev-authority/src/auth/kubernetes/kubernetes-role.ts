import type { Fields } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';
import { describeRoleTokens, type RoleTokens, readRoleTokens } from '../role-tokens.ts';

const ALIAS_SOURCES = ['serviceaccount_uid', 'serviceaccount_name'] as const;

export interface KubernetesRole {
  readonly names: readonly string[];
  readonly namespaces: readonly string[];
  readonly audience: string;
  readonly aliasSource: (typeof ALIAS_SOURCES)[number];
  readonly tokens: RoleTokens;
}

export function readKubernetesRole(fields: Fields, present: KubernetesRole | undefined): KubernetesRole {
  if ((fields.text('bound_service_account_namespace_selector') ?? '') !== '') {
    throw invalid('"bound_service_account_namespace_selector" is not supported');
  }
  const source = fields.text('alias_name_source') ?? present?.aliasSource ?? 'serviceaccount_uid';
  const aliasSource = ALIAS_SOURCES.find((known) => known === source);
  if (aliasSource === undefined) throw invalid(`invalid alias_name_source "${source}"`);
  const role: KubernetesRole = {
    names: fields.list('bound_service_account_names') ?? present?.names ?? [],
    namespaces: fields.list('bound_service_account_namespaces') ?? present?.namespaces ?? [],
    audience: fields.text('audience') ?? present?.audience ?? '',
    aliasSource,
    tokens: readRoleTokens(fields, present?.tokens),
  };
  if (role.names.length === 0) throw invalid('"bound_service_account_names" can not be empty');
  if (role.namespaces.length === 0) {
    throw invalid(
      '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
    );
  }
  return role;
}

export function describeKubernetesRole(role: KubernetesRole): Record<string, unknown> {
  return {
    alias_name_source: role.aliasSource,
    audience: role.audience,
    bound_service_account_names: role.names,
    bound_service_account_namespace_selector: '',
    bound_service_account_namespaces: role.namespaces,
    ...describeRoleTokens(role.tokens),
  };
}

/** `*` allows any; otherwise globs with `*`, as Vault has them. */
export function allows(bound: readonly string[], actual: string): boolean {
  return bound.some((pattern) => {
    if (pattern === '*' || pattern === actual) return true;
    if (!pattern.includes('*')) return false;
    const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`).test(actual);
  });
}
