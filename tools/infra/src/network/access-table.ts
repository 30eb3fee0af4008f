import type { Manifest } from '../manifests.ts';
import { Network, type Place } from './network.ts';

/** Who takes part, and which ports are asked about at each who is called. */
export interface AccessQuestion {
  readonly callers: Readonly<Record<string, Place>>;
  readonly called: Readonly<Record<string, { readonly place: Place; readonly ports: readonly string[] }>>;
  /** Who the policies are about: what two others say to each other is not asked. */
  readonly ours: readonly string[];
}

/** A line a question: caller, called, port, `yes` or `no`. Ports are written `8200` or `53/UDP`. */
export type AccessTable = readonly string[];

/** The answer to every question: each caller, each called, each of its ports. */
export function accessTable(policies: readonly Manifest[], { callers, called, ours }: AccessQuestion): AccessTable {
  const network = new Network(policies);
  return Object.entries(callers).flatMap(([from, caller]) =>
    Object.entries(called).flatMap(([to, { place, ports }]) =>
      from === to || !(ours.includes(from) || ours.includes(to))
        ? []
        : ports.map((written) => {
            const [port, protocol = 'TCP'] = written.split('/');
            const connection = { from: caller, to: place, port: Number(port), protocol: protocol as 'TCP' | 'UDP' };
            return [from, to, written, network.allows(connection) ? 'yes' : 'no'].join('\t');
          }),
    ),
  );
}

/** The lines of a committed table, without comments. */
export function parseAccessTable(text: string): AccessTable {
  return text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

/** Lines that one table has and the other has not. */
export function tableDifferences(wanted: AccessTable, found: AccessTable): readonly string[] {
  return [
    ...wanted.filter((line) => !found.includes(line)).map((line) => `the table says and the policies do not: ${line}`),
    ...found.filter((line) => !wanted.includes(line)).map((line) => `the policies say and the table does not: ${line}`),
  ].map((line) => line.replaceAll('\t', ' '));
}
