import { describeAgentStore } from '../../testing/agent-store-contract.ts';
import { RedisStage } from '../../testing/redis-stage.ts';

let stage: RedisStage;

describeAgentStore({
  name: 'two replicas on a real Redis, each with a login of its own that OpenBao leases',
  async start() {
    stage = await RedisStage.open();
  },
  async open(options) {
    const [here, there] = await Promise.all([stage.replica(options), stage.replica(options)]);
    return [here.store, there.store];
  },
  close: () => stage.reset(),
  stop: () => stage?.close(),
});
