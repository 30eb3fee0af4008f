import { fail, ok } from 'node:assert/strict';
import { at, listAt, type Manifest, type Manifests } from '../manifests.ts';

/** The Job that registers; its name ends with a hash of what it does. */
export function entryJob(manifests: Manifests): Manifest {
  const found = manifests.of('Job').filter(({ metadata }) => metadata.name.startsWith('spire-entries-'));
  return found[0] ?? fail('there is no Job spire-entries-…');
}

/** One run of `spire-server`, as the arguments behind its name. */
export type Command = readonly string[];

/** What the Job runs inside the server's pod, in the order in which its containers run. */
export function entryCommands(manifests: Manifests): readonly Command[] {
  const spec = at(entryJob(manifests), 'spec.template.spec');
  const containers = [...listAt(spec, 'initContainers'), ...listAt(spec, 'containers')];
  return containers.flatMap((container) => {
    const args = listAt(container, 'args').map(String);
    const start = args.indexOf('--');
    return start < 0 ? [] : [commandOf(args.slice(start + 1))];
  });
}

function commandOf([program, ...args]: readonly string[]): Command {
  ok(program === '/opt/spire/bin/spire-server', `it runs ${String(program)}`);
  return args;
}

const REPEATED = ['-selector', '-dns', '-federatesWith'];

/** The options of `entry create` or `entry update`: those given once, and those given for each of several. */
export function optionsOf([group, action, ...args]: Command) {
  ok(group === 'entry', `it runs ${String(group)}`);
  const one = new Map<string, string>();
  const many = new Map<string, string[]>();
  for (let index = 0; index < args.length; index += 2) {
    const [key = '', value = ''] = args.slice(index, index + 2);
    if (REPEATED.includes(key)) many.set(key, [...(many.get(key) ?? []), value]);
    else one.set(key, value);
  }
  return { action, one, many };
}
