import { SPIFFE_IDS } from '@neural-hive/contracts';

/** What a caller may be trusted with. Who has any of them may read. */
export const ROLES = ['submit', 'approve', 'cancel', 'read'] as const;
export type Role = (typeof ROLES)[number];

/** The SPIFFE IDs that have each role. */
export type RoleTable = Readonly<Record<Role, readonly string[]>>;

/** People and tools; a deployment names the identities of its own. */
export const DEFAULT_ROLES: RoleTable = {
  submit: [SPIFFE_IDS.operator],
  approve: [SPIFFE_IDS.operator],
  cancel: [SPIFFE_IDS.operator],
  read: [SPIFFE_IDS.operator],
};

/**
 * Everything that the API does, and the role that it takes. What is not listed is refused. `work` is nobody's to give: the
 * workers have it, and nothing else.
 */
export const OPERATIONS = {
  SubmitPlan: 'submit',
  SubmitDecision: 'submit',
  ApprovePlan: 'approve',
  RejectPlan: 'approve',
  CancelPlan: 'cancel',
  PausePlan: 'cancel',
  ResumePlan: 'cancel',
  GetPlan: 'read',
  ListPlans: 'read',
  WatchPlan: 'read',
  ReadTelemetry: 'read',
  DescribeApi: 'read',
  ListDeadLetters: 'read',
  GetDeadLetter: 'read',
  RetryDeadLetter: 'submit',
  ClaimTicket: 'work',
  HeartbeatTicket: 'work',
  ReleaseTicket: 'work',
} as const satisfies Record<string, Role | 'work'>;

export type Operation = keyof typeof OPERATIONS;

/** Whether `spiffeId` may have `operation` done. */
export function isAllowed(operation: Operation, spiffeId: string, roles: RoleTable): boolean {
  const role = OPERATIONS[operation];
  if (role === 'work') return spiffeId === SPIFFE_IDS.worker;
  return role === 'read' ? ROLES.some((any) => roles[any].includes(spiffeId)) : roles[role].includes(spiffeId);
}
