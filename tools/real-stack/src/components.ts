import { installOpenBao, OPEN_BAO_VERSION } from './open-bao/install.ts';

/** A real server that tests can be run against. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** Makes it startable; quick when it is already. */
  readonly install: (log: (line: string) => void) => Promise<void>;
}

export const COMPONENTS: readonly Component[] = [
  {
    name: 'openbao',
    version: OPEN_BAO_VERSION,
    install: async (log) => {
      await installOpenBao({ log });
    },
  },
];
