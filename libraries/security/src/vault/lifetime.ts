import type { Random } from '../common/index.ts';

/** From when to when a credential is good, by its own times. */
export interface Lifetime {
  readonly issuedAtMs: number;
  /** `Infinity` for one that does not end. */
  readonly expiresAtMs: number;
}

export interface RenewalPointOptions {
  /** Whether this is the first point this process draws for the credential. */
  readonly first: boolean;
  /** What must be left at the point, to drain what still uses the credential. In milliseconds; default 0. */
  readonly reserveMs?: number;
  readonly random: Random;
}

/** A first renewal comes no earlier, so that a reserve longer than the whole life cannot make a hot loop. */
const EARLIEST = 0.1;
/** The latest point of a life at which it is renewed. */
const LATEST = 0.8;
const LATER_FROM = 0.72;
/** The share of a life after which renewing is given up. */
const HARD = 0.98;

/**
 * When to renew or replace a credential: uniform over (0.1, 0.8) of its life the first time, which spreads a fleet
 * that started together, and over (0.72, 0.80) after that. A reserve moves the upper end, and with it the lower one,
 * forward, but never before a tenth of the life.
 */
export function renewalPointMs({ issuedAtMs, expiresAtMs }: Lifetime, options: RenewalPointOptions): number {
  const { first, reserveMs = 0, random } = options;
  const lifeMs = expiresAtMs - issuedAtMs;
  if (lifeMs === Number.POSITIVE_INFINITY) return lifeMs;
  if (lifeMs <= 0) return issuedAtMs;
  const to = Math.min(LATEST, Math.max(EARLIEST, 1 - reserveMs / lifeMs));
  const from = first ? EARLIEST : Math.max(EARLIEST, to * (LATER_FROM / LATEST));
  return issuedAtMs + lifeMs * (from + random() * (to - from));
}

/**
 * After this moment a credential is not renewed any more but replaced: its last fiftieth, or the reserve when that is
 * longer, is for draining what still uses it. Never before half of the life.
 */
export function hardPointMs({ issuedAtMs, expiresAtMs }: Lifetime, reserveMs = 0): number {
  const lifeMs = expiresAtMs - issuedAtMs;
  if (lifeMs === Number.POSITIVE_INFINITY) return lifeMs;
  return expiresAtMs - Math.min(Math.max(reserveMs, lifeMs * (1 - HARD)), lifeMs / 2);
}

/** Servers count in whole seconds and take a moment to answer; up to this much less is still a full extension. */
const ROUNDING_MS = 1_500;

/**
 * Whether a renewal gave the credential its full duration again. When it did not, a maximum lifetime is near and
 * further renewals cannot move the end: it must be replaced.
 */
export function extendedFully(renewedMs: number, originalMs: number): boolean {
  return renewedMs >= originalMs - Math.min(ROUNDING_MS, originalMs * 0.05);
}

/** A token and a lease that both hold: the earlier end counts, since a token takes its leases along. */
export function earlierEndMs(leaseExpiresAtMs: number, tokenExpiresAtMs: number): number {
  return Math.min(leaseExpiresAtMs, tokenExpiresAtMs);
}
