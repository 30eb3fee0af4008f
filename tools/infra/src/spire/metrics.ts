/** What the alerts of the chart look at; `spire-real` and `spire-psat` find each of them at a real server. */
export const SERVER_ALERT_METRICS = [
  'spire_server_entry_cache_reload',
  'spire_server_entry_cache_reload_elapsed_time_count',
  'spire_server_entry_cache_reload_elapsed_time_sum',
  'spire_server_manager_x509_ca_rotate_expiration',
] as const;

/** Of servers that have been asked to attest a node. */
export const ATTESTATION_METRIC = 'spire_server_rpc_agent_v1_agent_attest_agent';

/** `up` is Prometheus' own. */
export const ALERT_METRICS: readonly string[] = [...SERVER_ALERT_METRICS, ATTESTATION_METRIC, 'up'];

/** The names of an expression's metrics: what stands before a brace. */
export function metricsOf(expression: string): readonly string[] {
  return [...expression.matchAll(/([a-z_0-9]+)\{/g)].map(([, name = '']) => name);
}
