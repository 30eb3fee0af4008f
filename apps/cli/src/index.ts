export { asOperator, type Operator } from './client/operator.ts';
export type { OrchestratorClient, PlanView, ProgressLine } from './client/orchestrator-client.ts';
export { sumOfMetric } from './job/metrics-text.ts';
export { processTree } from './platform/processes.ts';
