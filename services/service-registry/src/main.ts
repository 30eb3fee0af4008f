import { runService } from '@neural-hive/service-runtime';
import { openRegistryService } from './composition.ts';
import { registryConfig } from './config.ts';

runService({ name: 'service-registry', open: async (context) => openRegistryService(registryConfig(), context) });
