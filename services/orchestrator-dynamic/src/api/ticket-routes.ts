import { claimRequest, holderRequest, TICKET_PATHS } from '@neural-hive/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { TicketClaims } from '../ports/ticket-desk.ts';
import { ApiError } from './api-error.ts';
import type { PlanRoutesOptions } from './plan-routes.ts';
import { invalidRequest, readJson } from './requests.ts';

export interface TicketRoutesOptions extends Pick<PlanRoutesOptions, 'may'> {
  readonly claims: TicketClaims;
}

/** `/v1/tickets/:id/{claim,heartbeat,release}`: how a worker whose ticket came over the bus gets to hold it. */
export function ticketRoutes(app: FastifyInstance, { claims, may }: TicketRoutesOptions): void {
  app.post(routeOf('claim'), may('ClaimTicket'), async (request) => {
    const { agent_id: agentId, retry_count: retryCount } = read(claimRequest, request);
    return claims.claim(idOf(request), { agentId, retryCount, spiffeId: request.callerId });
  });

  app.post(routeOf('heartbeat'), may('HeartbeatTicket'), async (request) => {
    const { fencing_token: fencingToken } = read(holderRequest, request);
    return claims.heartbeat(idOf(request), { fencingToken, spiffeId: request.callerId });
  });

  app.post(routeOf('release'), may('ReleaseTicket'), async (request) => {
    const { fencing_token: fencingToken } = read(holderRequest, request);
    return claims.release(idOf(request), { fencingToken, spiffeId: request.callerId });
  });
}

function routeOf(action: keyof typeof TICKET_PATHS): string {
  return TICKET_PATHS[action](':id').replace(encodeURIComponent(':'), ':');
}

function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string };
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(id)) throw new ApiError('not_found', 'that is no id of a ticket');
  return id;
}

/** Throws `ApiError` `invalid_json` and `invalid_request`. */
function read<Schema extends z.ZodType>(schema: Schema, request: FastifyRequest): z.output<Schema> {
  const parsed = schema.safeParse(readJson(request.body));
  if (!parsed.success) throw invalidRequest(parsed.error);
  return parsed.data;
}
