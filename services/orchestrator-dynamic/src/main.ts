import { runService } from '@neural-hive/service-runtime';
import { openOrchestrator } from './composition.ts';
import { orchestratorConfig } from './config.ts';

runService({
  name: 'orchestrator-dynamic',
  open: (context) => openOrchestrator(orchestratorConfig(), context),
});
