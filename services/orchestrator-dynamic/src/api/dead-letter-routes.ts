import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { viewPlan } from '../domain/index.ts';
import { ApiError } from './api-error.ts';
import type { PlanRoutesOptions } from './plan-routes.ts';
import { readQuery, readWish } from './requests.ts';

export const deadLetterListQuery = z.strictObject({
  all: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

/** `/api/v1/dead-letters` and what is below it. */
export function deadLetterRoutes(
  app: FastifyInstance,
  { engine, may }: Pick<PlanRoutesOptions, 'engine' | 'may'>,
): void {
  app.get('/api/v1/dead-letters', may('ListDeadLetters'), async (request) => ({
    deadLetters: await engine.deadLetters(readQuery(deadLetterListQuery, request)),
  }));

  app.get('/api/v1/dead-letters/:id', may('GetDeadLetter'), async (request) => {
    const letter = await engine.deadLetter(idOf(request));
    if (letter === undefined) throw unknownLetter(request);
    return letter;
  });

  app.post('/api/v1/dead-letters/:id/retry', may('RetryDeadLetter'), async (request) => {
    readWish(z.strictObject({}), request);
    const outcome = await engine.retryDeadLetter(idOf(request), request.callerId);
    if (outcome.kind === 'unknown') throw unknownLetter(request);
    if (outcome.kind === 'refused') throw new ApiError('conflict', `cannot try again: ${outcome.reason}`);
    return { retriedAs: outcome.retriedAs, plan: viewPlan(outcome.state) };
  });
}

function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string };
  return /^[A-Za-z0-9._:-]{1,128}$/.test(id) ? id : '';
}

function unknownLetter(request: FastifyRequest): ApiError {
  return new ApiError('not_found', `no ticket ${JSON.stringify((request.params as { id: string }).id)} was given up`);
}
