import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '../fault.ts';
import { Acl } from './acl.ts';
import { type Capability, parsePolicy } from './policy.ts';

const acl = (...policies: string[]): Acl => Acl.of(policies.flatMap(parsePolicy));
const path = (pattern: string, ...capabilities: Capability[]): string =>
  `path "${pattern}" { capabilities = ${JSON.stringify(capabilities)} }`;

describe('which rule counts', () => {
  const cases: readonly [rule: string, policy: string, path: string, allowed: boolean][] = [
    ['an exact path allows itself', path('a/b', 'read'), 'a/b', true],
    ['an exact path does not allow what lies below', path('a/b', 'read'), 'a/b/c', false],
    ['a star at the end allows what lies below', path('a/*', 'read'), 'a/b/c', true],
    ['a star allows names that begin alike', path('a/b*', 'read'), 'a/bc', true],
    ['a star with a slash does not allow the folder itself', path('a/b/*', 'read'), 'a/b', false],
    ['a plus is one segment', path('a/+/c', 'read'), 'a/b/c', true],
    ['a plus is not two segments', path('a/+/c', 'read'), 'a/b/b/c', false],
    ['a plus and a star work together', path('a/+/c*', 'read'), 'a/b/cd/e', true],
    ['an exact rule beats a star', `${path('a/*', 'deny')}\n${path('a/b', 'read')}`, 'a/b', true],
    ['the longer prefix beats the shorter', `${path('a/*', 'read')}\n${path('a/b/*', 'deny')}`, 'a/b/c', false],
    ['a later wildcard beats an earlier', `${path('a/+/c', 'deny')}\n${path('a/b/*', 'read')}`, 'a/b/c', true],
    ['without a star beats with one', `${path('+/b/*', 'deny')}\n${path('+/b/c', 'read')}`, 'a/b/c', true],
    ['nothing said is denied', path('a', 'read'), 'b', false],
  ];
  test.each(cases)('%s', (_rule, policy, at, allowed) => {
    expect(acl(policy).allows(at, 'read')).toBe(allowed);
  });

  test('deny wins over what other policies allow at the same path', () => {
    expect(acl(path('a/*', 'read', 'update')).allows('a/b', 'read')).toBe(true);
    expect(acl(path('a/*', 'read', 'update'), path('a/*', 'deny')).allows('a/b', 'read')).toBe(false);
    expect(acl(path('a/*', 'deny'), path('a/*', 'read')).allows('a/b', 'read')).toBe(false);
    expect(acl(path('a/*', 'deny', 'read')).capabilities('a/b')).toEqual(['deny']);
  });

  test('a list is allowed by the folder with and without its slash', () => {
    expect(acl(path('a/b', 'list')).allows('a/b/', 'list')).toBe(true);
    expect(acl(path('a/b/', 'list')).allows('a/b/', 'list')).toBe(true);
    expect(acl(path('a/b', 'read')).allows('a/b/', 'list')).toBe(false);
  });
});

describe('parameters', () => {
  const limited = acl(
    'path "a" { capabilities = ["update"] allowed_parameters = { "x" = ["1", "2*"] "y" = [] } denied_parameters = { "y" = ["bad"] } required_parameters = ["x"] }',
  );
  test.each([
    ['a listed value', { x: '1' }, true],
    ['a value by prefix', { x: '25', y: 'good' }, true],
    ['a value that is not listed', { x: '3' }, false],
    ['a field that is not listed', { x: '1', z: '1' }, false],
    ['a denied value', { x: '1', y: 'bad' }, false],
    ['a missing required field', { y: 'good' }, false],
  ])('%s', (_rule, body, allowed) => {
    expect(limited.allows('a', 'update', body)).toBe(allowed);
  });
});

test('of two policies for one path, what either denies stays denied and what either allows is allowed', () => {
  const rule = (limits: string): string => `path "a" { capabilities = ["update"] ${limits} }`;
  const denied = acl(rule('denied_parameters = { "x" = ["1"] }'), rule('denied_parameters = { "x" = ["2"] }'));
  expect([1, 2, 3].map((x) => denied.allows('a', 'update', { x: String(x) }))).toEqual([false, false, true]);
  const all = acl(rule('denied_parameters = { "x" = [] }'), rule('denied_parameters = { "x" = ["2"] }'));
  expect(all.allows('a', 'update', { x: '1' })).toBe(false);
  const allowed = acl(rule('allowed_parameters = { "x" = ["1"] }'), rule('allowed_parameters = { "x" = ["2"] }'));
  expect([1, 2, 3].map((x) => allowed.allows('a', 'update', { x: String(x) }))).toEqual([true, true, false]);
});

describe('the text of a policy', () => {
  test('HCL and JSON say the same', () => {
    const hcl =
      '# comment\npath "a/*" {\n  capabilities = ["read", "list"] // more\n}\n/* x */ path "b" { policy = "write" }';
    const json = '{"path":{"a/*":{"capabilities":["read","list"]},"b":{"policy":"write"}}}';
    expect(parsePolicy(hcl)).toEqual(parsePolicy(json));
    expect(parsePolicy(hcl)).toHaveLength(2);
  });

  test.each([
    ['an unknown capability', 'path "a" { capabilities = ["bogus"] }', /invalid capability "bogus"/],
    [
      'an unknown key',
      'path "a" { capabilities = ["read"] max_wrapping_ttl = "1h" }',
      /invalid key "max_wrapping_ttl"/,
    ],
    [
      'an identity template',
      'path "a/{{identity.entity.id}}" { capabilities = ["read"] }',
      /templates are not supported/,
    ],
    ['a star in the middle', 'path "a/*/b" { capabilities = ["read"] }', /"\*" may only stand at the end/],
    ['a missing brace', 'path "a" { capabilities = ["read"]', /unexpected end/],
    ['another block', 'role "a" { capabilities = ["read"] }', /invalid key "role"/],
    ['a key twice', 'path "a" { capabilities = ["read"] capabilities = ["deny"] }', /given twice/],
  ])('%s is refused', (_what, text, message) => {
    expect(parsePolicy('path "a" { capabilities = ["read"] }')).toHaveLength(1);
    expect(() => parsePolicy(text)).toThrow(message);
  });

  test('any text is a policy or a clean refusal', () => {
    const piece = fc.constantFrom(
      'path',
      '"a/*"',
      '{',
      '}',
      '[',
      ']',
      '=',
      ',',
      'capabilities',
      '"read"',
      '"',
      '\\',
      '#x\n',
      ' ',
      '1',
      'true',
      '<<E\n',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(' ')),
        (text) => {
          try {
            parsePolicy(text);
          } catch (error) {
            expect(error).toBeInstanceOf(Fault);
          }
        },
      ),
    );
  });
});
