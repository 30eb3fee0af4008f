import type { TicketStatus } from '@neural-hive/contracts';

/** Every allowed change of a ticket's status; any other is refused. A retry stays RUNNING. */
const ALLOWED: Readonly<Record<TicketStatus, readonly TicketStatus[]>> = {
  PENDING: ['RUNNING', 'CANCELLED'],
  RUNNING: ['COMPLETED', 'FAILED', 'CANCELLED'],
  COMPLETED: ['COMPENSATING'],
  FAILED: [],
  CANCELLED: [],
  COMPENSATING: ['COMPENSATED'],
  COMPENSATED: [],
};

export function mayChange(from: TicketStatus, to: TicketStatus): boolean {
  return ALLOWED[from].includes(to);
}
