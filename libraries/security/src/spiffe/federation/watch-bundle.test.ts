import { expect, test } from 'vitest';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { spiffeBundleOf } from '../../testing/spiffe-bundles.ts';
import { ChangingEndpoint } from './testing/endpoint.ts';
import { watchBundle } from './watch-bundle.ts';

const one = CertificateAuthority.create('one.org');
const web = CertificateAuthority.create('web.example');

test('watchBundle alone keeps to the hint, reports failures and ends with its signal', async () => {
  const clock = new FakeClock(Date.now());
  const endpoint = await ChangingEndpoint.serve(
    web.issueTlsCertificate({ dnsNames: ['localhost'], ttlSeconds: 600 }),
    spiffeBundleOf(one, { sequence: 1n, refreshHintSeconds: 30 }),
  );
  const stop = new AbortController();
  const seen: unknown[] = [];
  let wake = (): void => undefined;
  const heard = () => new Promise<void>((resolve) => (wake = resolve));
  let line = heard();
  const watching = watchBundle(
    { trustDomain: 'one.org', url: endpoint.url, profile: 'https_web', ca: web.rootPem },
    {
      update: ({ sequence }) => {
        seen.push(sequence);
        wake();
      },
      error: (error) => {
        seen.push((error as { code: string }).code);
        wake();
      },
    },
    { signal: stop.signal, clock },
  );
  await line;
  endpoint.bundle = undefined;
  line = heard();
  await clock.advance(30_000);
  await line;
  expect(seen).toEqual([1n, 'BUNDLE_FETCH_FAILED']);
  stop.abort();
  await watching;
  await endpoint.close();
});
