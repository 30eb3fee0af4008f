import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with the line `N passed, N failed`. A test that was skipped counts as failed: nothing of ours is skipped
 * silently. So does a file that could not be loaded, and an error outside of any test.
 */
export class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      if (tests.length === 0 || module.errors().length > 0) failed += 1;
      for (const test of tests) {
        if (test.result().state === 'passed') passed += 1;
        else {
          failed += 1;
          if (test.result().state === 'skipped') process.stdout.write(`skipped: ${module.moduleId} ${test.fullName}\n`);
        }
      }
    }
    if (failed > 0 || passed === 0) process.exitCode = 1;
    process.once('exit', () => process.stdout.write(`${passed} passed, ${failed} failed\n`));
  }
}
