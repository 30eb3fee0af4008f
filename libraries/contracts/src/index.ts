export * from './decision.ts';
export * from './identities.ts';
export * from './plan.ts';
export * from './result.ts';
export * from './ticket.ts';
export * from './topics.ts';
export * from './vault.ts';
