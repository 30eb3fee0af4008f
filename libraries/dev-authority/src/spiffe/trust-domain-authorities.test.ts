import { verifyJwtSvid, verifyX509Svid } from '@neural-hive/security/spiffe';
import { CertificateAuthority, FakeClock } from '@neural-hive/security/testing';
import { expect, test } from 'vitest';
import { activate, prepare, revoke, taint } from './authority-lineage.ts';
import type { AuthorityKind } from './authority-slot.ts';
import { type SavedAuthorities, TrustDomainAuthorities } from './trust-domain-authorities.ts';

const ID = 'spiffe://rotating.test/app';
const TTL_SECONDS = 1_800;
const SVID_SECONDS = 60;
const KINDS: readonly AuthorityKind[] = ['x509', 'jwt'];

function opened({ clock = new FakeClock(), saved, commit = async () => undefined }: Opening = {}) {
  const svidTtlSeconds = { x509: SVID_SECONDS, jwt: SVID_SECONDS };
  const options = { trustDomain: 'rotating.test', ttlSeconds: TTL_SECONDS, svidTtlSeconds, clock, commit };
  return { clock, authorities: TrustDomainAuthorities.create(options, saved) };
}

interface Opening {
  readonly clock?: FakeClock;
  readonly saved?: unknown;
  readonly commit?: () => Promise<void>;
}

const states = ({ lineages }: TrustDomainAuthorities, kind: AuthorityKind): string[] =>
  lineages[kind].map(({ status }) => status);

/** An SVID of each kind, and whether they are verified later by what the bundles hold then. */
function svidsOf(authorities: TrustDomainAuthorities, clock: FakeClock) {
  const { certificates } = authorities.issueX509Svid({ id: ID, ttlSeconds: SVID_SECONDS });
  const token = authorities.issueJwtSvid({ id: ID, audience: 'a', ttlSeconds: SVID_SECONDS });
  return {
    verify(nowMs = clock.now()): void {
      verifyX509Svid(certificates, { getX509Bundle: () => authorities.bundle() }, { nowMs });
      verifyJwtSvid(token, { bundles: { getJwtBundle: () => authorities.jwtBundle() }, audience: 'a', nowMs });
    },
  };
}

test('a prepared authority stands in the bundles and signs nothing; activated it signs, and what was signed stays valid', async () => {
  const { authorities, clock } = opened();
  const first = { x509: authorities.lineages.x509[0]?.id, jwt: authorities.lineages.jwt[0]?.id };
  const earlier = svidsOf(authorities, clock);
  earlier.verify();
  const onlyOld = { x509: authorities.bundle(), jwt: authorities.jwtBundle() };
  for (const kind of KINDS) await authorities.change(kind, (lineage) => prepare(lineage, authorities.fresh(kind)));
  expect([authorities.bundle().authorities.length, authorities.jwtBundle().keys.length]).toEqual([2, 2]);
  const sign = () => authorities.issueX509Svid({ id: ID, ttlSeconds: SVID_SECONDS }).certificates;
  const byOld = { getX509Bundle: () => onlyOld.x509 };
  expect(verifyX509Svid(sign(), byOld, { nowMs: clock.now() }).id.toString()).toBe(ID);

  for (const kind of KINDS) await authorities.change(kind, (lineage) => activate(lineage, clock.now()));
  expect(() => verifyX509Svid(sign(), byOld, { nowMs: clock.now() })).toThrow();
  earlier.verify();
  svidsOf(authorities, clock).verify();
  for (const kind of KINDS) {
    expect(states(authorities, kind)).toEqual(['old', 'active']);
    expect(authorities.lineages[kind][0]?.id).toBe(first[kind]);
  }
});

test('without a command the next one is prepared at half of a life, signs for the last sixth, and the old one leaves when nothing it signed is valid', async () => {
  const { authorities, clock } = opened();
  const changes: (readonly [bigint | undefined, string[]])[] = [];
  authorities.onChange(() => changes.push([authorities.spiffeBundle().sequence, states(authorities, 'x509')]));
  authorities.start();
  const [lifeMs, marginMs] = [TTL_SECONDS * 1000, 15_000];
  await clock.advance(lifeMs / 2 - marginMs);
  expect(states(authorities, 'x509')).toEqual(['active']);
  await clock.advance(marginMs);
  expect(states(authorities, 'jwt')).toEqual(['active', 'prepared']);
  await clock.advance(lifeMs / 3 - marginMs);
  const last = svidsOf(authorities, clock);
  await clock.advance(marginMs);
  expect(states(authorities, 'x509')).toEqual(['old', 'active']);
  last.verify();
  await clock.advance(SVID_SECONDS * 1000 - 1);
  expect(states(authorities, 'x509')).toEqual(['old', 'active']);
  await clock.advance(2_000);
  expect([states(authorities, 'x509'), states(authorities, 'jwt')]).toEqual([['active'], ['active']]);
  // One number for each bundle that was seen, in order.
  expect(changes.map(([sequence]) => sequence)).toEqual(changes.map((_, index) => BigInt(index) + 2n));
  expect(changes.at(-1)?.[1]).toEqual(['active']);
  await authorities.close();
  expect(clock.nextAtMs).toBeUndefined();
});

test('over ten lives there is always an authority that signs, and its SVIDs never outlive it', async () => {
  const { authorities, clock } = opened();
  authorities.start();
  for (let step = 0; step < 200; step += 1) {
    await clock.advance((TTL_SECONDS * 1000) / 20);
    const svids = svidsOf(authorities, clock);
    svids.verify();
    const { notAfterMs } = authorities.issueX509Svid({ id: ID, ttlSeconds: 10 * TTL_SECONDS });
    const active = authorities.lineages.x509.find(({ status }) => status === 'active');
    expect(notAfterMs).toBeLessThanOrEqual(active?.expiresAtMs ?? 0);
    expect(authorities.bundle().authorities.length).toBeLessThanOrEqual(2);
  }
  await authorities.close();
});

test('only an old authority can be tainted and only a tainted one revoked, which takes it from the bundles at once', async () => {
  const { authorities, clock } = opened();
  const earlier = svidsOf(authorities, clock);
  const old = authorities.lineages.x509[0]?.id;
  const run = (step: Parameters<typeof authorities.change>[1]) => authorities.change('x509', step);
  await expect(run((lineage) => activate(lineage, clock.now()))).rejects.toThrow(/prepared/);
  await expect(run((lineage) => taint(lineage, old))).rejects.toThrow(/old/);
  await run((lineage) => prepare(lineage, authorities.fresh('x509')));
  await expect(run((lineage) => prepare(lineage, authorities.fresh('x509')))).rejects.toThrow(/already/);
  await expect(run((lineage) => activate(lineage, clock.now(), 'another'))).rejects.toThrow(/authority_id/);
  await run((lineage) => activate(lineage, clock.now()));
  await expect(run((lineage) => revoke(lineage, old))).rejects.toThrow(/tainted/);
  const before = authorities.spiffeBundle().sequence ?? 0n;
  await run((lineage) => taint(lineage, old));
  earlier.verify();
  expect(authorities.spiffeBundle().sequence, 'no key came or went').toBe(before);
  await run((lineage) => revoke(lineage, old));
  expect(() => earlier.verify()).toThrow();
  expect([states(authorities, 'x509'), authorities.spiffeBundle().sequence]).toEqual([['active'], before + 1n]);
});

test('nobody sees a change before it is on the disk, and one that cannot be written never was', async () => {
  let release: (failure?: Error) => void = () => undefined;
  const commit = () =>
    new Promise<void>((resolve, reject) => {
      release = (failure) => (failure === undefined ? resolve() : reject(failure));
    });
  const { authorities } = opened({ commit });
  const add = () => authorities.change('jwt', (lineage) => prepare(lineage, authorities.fresh('jwt')));
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  const failing = add();
  await settled();
  expect(authorities.save().jwt, 'what is being written').toHaveLength(2);
  expect(authorities.save().sequence).toBe('2');
  expect(authorities.jwtBundle().keys).toHaveLength(1);
  release(new Error('disk full'));
  await expect(failing).rejects.toThrow('disk full');
  expect([authorities.save().jwt.length, authorities.save().sequence]).toEqual([1, '1']);

  const working = add();
  await settled();
  release();
  await working;
  expect([authorities.jwtBundle().keys.length, authorities.spiffeBundle().sequence]).toEqual([2, 2n]);
});

test('a restart keeps authorities, their states and the sequence number, also from a state of which only the disk knows', async () => {
  let written: unknown;
  const first: ReturnType<typeof opened> = opened({
    commit: async () => {
      written = JSON.parse(JSON.stringify(first.authorities.save()));
    },
  });
  const { authorities, clock } = first;
  const earlier = svidsOf(authorities, clock);
  for (const kind of KINDS) await authorities.change(kind, (lineage) => prepare(lineage, authorities.fresh(kind)));
  await authorities.change('x509', (lineage) => activate(lineage, clock.now()));
  const again = opened({ clock, saved: written }).authorities;
  expect(again.save()).toEqual(written);
  expect(again.spiffeBundle()).toEqual(authorities.spiffeBundle());
  expect(Buffer.from(again.jwks())).toEqual(Buffer.from(authorities.jwks()));
  earlier.verify();

  // Away for longer than an authority lives: the next number, and one that signs.
  const ended = new FakeClock(clock.now() + 3 * TTL_SECONDS * 1000);
  const late = opened({ clock: ended, saved: written }).authorities;
  expect([states(late, 'x509'), states(late, 'jwt')]).toEqual([['active'], ['active']]);
  expect(late.spiffeBundle().sequence).toBe((authorities.spiffeBundle().sequence ?? 0n) + 1n);
  svidsOf(late, ended).verify();
});

test('an old authority stays as long as the longest SVID it may have signed, whatever is configured after a restart', async () => {
  const { authorities, clock } = opened();
  const saved: SavedAuthorities = authorities.save();
  const brief = TrustDomainAuthorities.create(
    {
      trustDomain: 'rotating.test',
      ttlSeconds: TTL_SECONDS,
      svidTtlSeconds: { x509: 2, jwt: 2 },
      clock,
      commit: async () => undefined,
    },
    saved,
  );
  brief.start();
  for (const kind of KINDS) await brief.change(kind, (lineage) => prepare(lineage, brief.fresh(kind)));
  for (const kind of KINDS) await brief.change(kind, (lineage) => activate(lineage, clock.now()));
  await clock.advance(SVID_SECONDS * 1000 - 1);
  expect(states(brief, 'x509')).toEqual(['old', 'active']);
  await clock.advance(2_000);
  expect(states(brief, 'x509')).toEqual(['active']);
  await brief.close();
});

test('the single authority of an earlier version goes on as the active one', () => {
  const clock = new FakeClock();
  const single = CertificateAuthority.create('rotating.test', { clock });
  const { authorities } = opened({ clock, saved: JSON.parse(JSON.stringify(single.export())) });
  expect(authorities.bundlePem).toBe(single.rootPem);
  expect(JSON.parse(Buffer.from(authorities.jwks()).toString())).toEqual(
    JSON.parse(Buffer.from(single.jwks()).toString()),
  );
  svidsOf(authorities, clock).verify();
});
