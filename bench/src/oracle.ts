import { type Comparison, compare } from './oracle/compare.ts';
import { jwtCases, jwtOracle } from './oracle/jwt/oracle.ts';
import { OpenSsl } from './oracle/x509/openssl.ts';
import { x509Cases, x509Oracle } from './oracle/x509/oracle.ts';

const DEFAULT_CASES = 10_000;
/** OpenSSL is a process for each case. */
const PROCESSES = 4;

function number(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at === -1 ? fallback : Number(process.argv[at + 1]);
  if (!Number.isSafeInteger(value) || value < 1) {
    process.stderr.write(`--${name} must be a number from 1 on\n`);
    process.exit(2);
  }
  return value;
}

function report({ outcome, bothAccepted, examples }: Comparison): number {
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  process.stderr.write(`${outcome.oracle}: both accepted ${bothAccepted} of ${outcome.cases}\n`);
  for (const example of examples) process.stderr.write(`${outcome.oracle}, unexplained: ${example}\n`);
  return outcome.unexplained;
}

const cases = number('cases', DEFAULT_CASES);
const seed = number('seed', Date.now() % 2 ** 31);
process.stderr.write(`seed ${seed}\n`);
const openSsl = new OpenSsl();
try {
  const unexplained = [
    report(await compare(jwtOracle, jwtCases(cases, seed))),
    report(await compare(x509Oracle(openSsl), x509Cases(cases, seed), { parallel: PROCESSES })),
  ];
  process.exitCode = unexplained.every((count) => count === 0) ? 0 : 1;
} finally {
  openSsl.close();
}
