import { runService } from '@neural-hive/service-runtime';
import { openWorker } from './composition.ts';
import { workerConfig } from './config.ts';

// Artifacts and releases are read by attempts under other uids; what is private says so itself.
process.umask(0o022);

runService({ name: 'worker-agents', open: async (context) => openWorker(workerConfig(), context) });
