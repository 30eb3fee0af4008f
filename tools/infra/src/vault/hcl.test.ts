import { expect, test } from 'vitest';
import { blocksOf, parseHcl } from './hcl.ts';

const text = `
ui = true
# a comment = 1
listener "tcp" {
  address = "[::]:8200"
  telemetry {
    unauthenticated_metrics_access = true
  }
}
storage "raft" {
  trailing_logs = 10000
  retry_join { leader_api_addr = "https://a # not a comment" }
  retry_join { leader_api_addr = "https://b" }
}
`;

test('attributes, labels and blocks within blocks are found', () => {
  const body = parseHcl(text);
  expect(body.attributes).toEqual({ ui: true });
  expect(blocksOf(body, 'listener', 'tcp')[0]?.body.blocks[0]?.body.attributes).toEqual({
    unauthenticated_metrics_access: true,
  });
  const [storage] = blocksOf(body, 'storage');
  expect(storage?.body.attributes).toEqual({ trailing_logs: 10000 });
  expect(storage?.body.blocks.map(({ body: join }) => join.attributes.leader_api_addr)).toEqual([
    'https://a # not a comment',
    'https://b',
  ]);
});

test('what is not such a configuration is an error', () => {
  expect(() => parseHcl('a {')).toThrow('ends in the middle');
  expect(() => parseHcl('a = 1\na = 2')).toThrow('set twice');
  expect(() => parseHcl('a = $x')).toThrow('not understood');
  expect(() => parseHcl('}')).toThrow('a name was expected');
  expect(() => parseHcl('a = b')).toThrow('no value');
});
