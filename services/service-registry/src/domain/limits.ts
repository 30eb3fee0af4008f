import { SECURITY_LEVELS } from '@neural-hive/contracts';
import type { AgentDescription, Telemetry } from './agent.ts';
import { RegistryError } from './registry-error.ts';

/** What one request may hold. Sizes in UTF-8 bytes. */
export const LIMITS = {
  capabilities: 64,
  nameBytes: 128,
  metadataEntries: 64,
  metadataBytes: 16_384,
  messageBytes: 16_384,
  filters: 16,
  discoverResults: { default: 5, max: 100 },
  page: { default: 100, max: 1_000 },
} as const;

const CAPABILITY = /^[A-Za-z0-9][A-Za-z0-9._:/+-]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Throws `invalid` with every rule that the values break. */
function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new RegistryError('invalid', problems.join('; '));
}

function nameProblems(field: string, value: string, { required = false } = {}): string[] {
  if (value === '') return required ? [`${field} must not be empty`] : [];
  const problems: string[] = [];
  if (Buffer.byteLength(value) > LIMITS.nameBytes) problems.push(`${field} is longer than ${LIMITS.nameBytes} bytes`);
  if (CONTROL.test(value)) problems.push(`${field} holds a control character`);
  return problems;
}

function mapProblems(field: string, map: Readonly<Record<string, string>>): string[] {
  const entries = Object.entries(map);
  const problems: string[] = [];
  if (entries.length > LIMITS.metadataEntries) {
    problems.push(`${field} has more than ${LIMITS.metadataEntries} entries`);
  }
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > LIMITS.metadataBytes) problems.push(`${field} is larger than ${LIMITS.metadataBytes} bytes`);
  if (Object.hasOwn(map, '')) problems.push(`${field} has an entry without a name`);
  return problems;
}

/** The capabilities sorted and without repetition; throws `invalid`. */
export function checkedCapabilities(capabilities: readonly string[]): readonly string[] {
  const problems: string[] = [];
  if (capabilities.length === 0) problems.push('capabilities must name at least one capability');
  if (capabilities.length > LIMITS.capabilities) {
    problems.push(`capabilities has more than ${LIMITS.capabilities} entries`);
  }
  const wrong = capabilities
    .slice(0, LIMITS.capabilities)
    .some((name) => !CAPABILITY.test(name) || Buffer.byteLength(name) > LIMITS.nameBytes);
  if (wrong) {
    problems.push(
      `a capability must be 1 to ${LIMITS.nameBytes} letters, digits and . _ : / + -, starting with a letter or digit`,
    );
  }
  refuse(problems);
  return [...new Set(capabilities)].sort();
}

/** Throws `invalid`. */
export function checkDescription(description: AgentDescription, instanceId: string): void {
  const level = description.metadata.security_level;
  refuse([
    ...nameProblems('instance_id', instanceId, { required: true }),
    ...nameProblems('namespace', description.namespace),
    ...nameProblems('cluster', description.cluster),
    ...nameProblems('version', description.version),
    ...mapProblems('metadata', description.metadata),
    ...(level === undefined || isSecurityLevel(level)
      ? []
      : [`metadata.security_level must be one of ${SECURITY_LEVELS.join(', ')}`]),
  ]);
}

/** Throws `invalid`. */
export function checkTelemetry(telemetry: Telemetry): void {
  const counts = [
    ['avg_duration_ms', telemetry.avgDurationMs],
    ['total_executions', telemetry.totalExecutions],
    ['failed_executions', telemetry.failedExecutions],
    ['last_execution_at', telemetry.lastExecutionAtMs],
    ['active', telemetry.active],
    ['capacity', telemetry.capacity],
  ] as const;
  const { successRate } = telemetry;
  refuse([
    ...(successRate >= 0 && successRate <= 1 ? [] : ['telemetry.success_rate must be between 0 and 1']),
    ...counts.flatMap(([name, value]) =>
      Number.isSafeInteger(value) && value >= 0 ? [] : [`telemetry.${name} must not be negative`],
    ),
  ]);
}

/** Throws `invalid`. */
export function checkNotification(notification: {
  readonly type: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}): void {
  refuse([
    ...nameProblems('notification_type', notification.type, { required: true }),
    ...(Buffer.byteLength(notification.message) > LIMITS.messageBytes
      ? [`message is larger than ${LIMITS.messageBytes} bytes`]
      : []),
    ...mapProblems('metadata', notification.metadata),
  ]);
}

/** `requested` as a number of results: 0 means the default. Throws `invalid` when it is out of range. */
export function checkedCount(
  field: string,
  requested: number,
  range: { readonly default: number; readonly max: number },
): number {
  if (requested === 0) return range.default;
  if (!Number.isInteger(requested) || requested < 0 || requested > range.max) {
    throw new RegistryError('invalid', `${field} must be between 1 and ${range.max}`);
  }
  return requested;
}

export function isSecurityLevel(value: string): value is (typeof SECURITY_LEVELS)[number] {
  return (SECURITY_LEVELS as readonly string[]).includes(value);
}
