import { describePlanEngine } from '../../testing/plan-engine-contract.ts';
import { TemporalStage } from '../../testing/temporal-stage.ts';

describePlanEngine('Temporal', () => TemporalStage.start());
