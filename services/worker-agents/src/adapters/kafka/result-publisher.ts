import { type ExecutionResult, TOPICS } from '@neural-hive/contracts';
import { KafkaSendError, type KafkaSender } from '@neural-hive/service-runtime';

/** Publishes a result. One that Kafka does not carry loses its logs, or else is told as the failure that it is. */
export async function publishResult(
  sender: Pick<KafkaSender, 'send'>,
  ticketId: string,
  result: ExecutionResult,
): Promise<void> {
  let problem = '';
  for (const shorter of [whole, withoutLogs, withoutOutput]) {
    try {
      await sender.send(TOPICS.results, ticketId, shorter(result, problem));
      return;
    } catch (error) {
      if (!(error instanceof KafkaSendError) || error.code !== 'too-large' || shorter === withoutOutput) throw error;
      problem = error.message;
    }
  }
}

function whole(result: ExecutionResult): ExecutionResult {
  return result;
}

function withoutLogs({ result, ...rest }: ExecutionResult): ExecutionResult {
  return { ...rest, result: { ...result, logs: [], metadata: { ...result.metadata, logs_dropped: 'too large' } } };
}

/** An output that nobody can read was not delivered. */
function withoutOutput(result: ExecutionResult, problem: string): ExecutionResult {
  return {
    ...result,
    status: 'FAILED',
    result: { success: false, output: {}, metadata: {}, logs: [] },
    error_class: result.error_class ?? 'execution',
    error_message: result.error_message ?? `The result cannot be published: ${problem}`,
  };
}
