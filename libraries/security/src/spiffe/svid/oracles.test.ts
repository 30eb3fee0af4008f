import { compare, jwtCases, jwtOracle, OpenSsl, x509Cases, x509Oracle } from '@neural-hive/bench/oracle';
import { afterAll, describe, expect, test } from 'vitest';

/** The long runs are `npm run oracle`; these show that it is alive and judges. */
const SEED = 20_261_125;
/** OpenSSL is a process for each chain, and a machine may be busy. */
const SLOW_MS = 600_000;
const openSsl = new OpenSsl();
afterAll(() => openSsl.close());

const accept = () => ({ accepted: true, why: '' });
const refuse = () => ({ accepted: false, why: 'all' });

describe('a short run of the oracles', () => {
  test(
    'J-03, J-07, J-09: jose and verifyJwtSvid agree on every token, or a rule explains why not',
    async () => {
      const { outcome, bothAccepted, examples } = await compare(jwtOracle, jwtCases(500, SEED));
      expect(examples).toEqual([]);
      expect(outcome).toMatchObject({ oracle: 'jose', cases: 500, unexplained: 0 });
      expect(bothAccepted).toBeGreaterThan(100);
    },
    SLOW_MS,
  );

  test(
    'X-13: OpenSSL and verifyX509Svid agree on every chain, or a rule explains why not',
    async () => {
      const run = await compare(x509Oracle(openSsl), x509Cases(100, SEED), { parallel: 2 });
      expect(run.examples).toEqual([]);
      expect(run.outcome).toMatchObject({ oracle: 'openssl', cases: 100, unexplained: 0 });
      expect(run.bothAccepted).toBeGreaterThan(25);
    },
    SLOW_MS,
  );
});

describe('the rules explain no more than they say: unexplained is', () => {
  test.each([
    ['a verifier that accepts everything', accept],
    ['a verifier that refuses everything', refuse],
  ])('%s, of tokens', async (_name, ours) => {
    const { outcome } = await compare({ ...jwtOracle, ours }, jwtCases(60, SEED));
    expect(outcome.unexplained).toBeGreaterThan(10);
  });

  test.each([
    ['a verifier that accepts everything', accept],
    ['a verifier that refuses everything', refuse],
  ])(
    '%s, of chains',
    async (_name, ours) => {
      const run = await compare({ ...x509Oracle(openSsl), ours }, x509Cases(25, SEED), { parallel: 2 });
      expect(run.outcome.unexplained).toBeGreaterThan(0);
    },
    SLOW_MS,
  );
});
