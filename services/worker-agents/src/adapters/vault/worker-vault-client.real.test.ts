import { startTestOpenBao } from '../../testing/open-bao.ts';
import { describeWorkerSecrets } from '../../testing/worker-secrets-contract.ts';

describeWorkerSecrets(startTestOpenBao);
