import { installOpenBao, OPEN_BAO_VERSION } from './open-bao/install.ts';

/** A real server that tests can be run against. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** Makes it startable, quick when it is already, and returns the environment in which its tests find it. */
  readonly install: (log: (line: string) => void) => Promise<Readonly<Record<string, string>>>;
}

export const COMPONENTS: readonly Component[] = [
  {
    name: 'openbao',
    version: OPEN_BAO_VERSION,
    install: async (log) => ({ BAO_BINARY: process.env.BAO_BINARY ?? (await installOpenBao({ log })) }),
  },
];
