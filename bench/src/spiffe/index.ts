import type { Result } from '../result.ts';
import { grpcCallResults } from './grpc-call.ts';
import { importTimeResults } from './import-time.ts';
import { jwtVerifyResults } from './jwt-verify.ts';
import { timerDelayResults } from './timer-delay.ts';
import { x509VerifyResults } from './x509-verify.ts';

export async function* spiffeResults(): AsyncGenerator<Result> {
  yield* jwtVerifyResults();
  yield* timerDelayResults();
  yield* x509VerifyResults();
  yield* grpcCallResults();
  yield* importTimeResults();
}
