/** JSON that the server stores. Durations are numbers of seconds. */
export type Fields = Readonly<Record<string, unknown>>;

export type Capability = 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list' | 'sudo' | 'deny';

export interface PathRule {
  readonly path: string;
  readonly capabilities: readonly Capability[];
  /** Body fields that may be sent, each with the values allowed; none means any. Others are refused. */
  readonly allowedParameters?: Readonly<Record<string, readonly string[]>>;
}

export interface Policy {
  readonly name: string;
  readonly rules: readonly PathRule[];
}

/** One thing below a mount that is written with POST and read with GET at the same path. */
export interface Entry {
  /** For reports, for instance `database role worker-query`. */
  readonly name: string;
  /** Below the mount. */
  readonly path: string;
  readonly fields: Fields;
  /** Written together with the fields and never answered, so they cannot be compared. */
  readonly secretFields?: Fields;
  /** Where it is read when it is not `path`. Then its existence is all that is compared: it cannot be changed. */
  readonly existsAt?: string;
  /** The plugins that can serve it, in order of preference: products name them differently or have none. */
  readonly plugins?: readonly string[];
  /** The name of another entry without which this one is of no use. */
  readonly needs?: string;
}

export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly options?: Readonly<Record<string, string>>;
  /** The longest lease below it. Default: the server's own. */
  readonly maxLeaseSeconds?: number;
  readonly entries: readonly Entry[];
}

/** Everything that a server must hold for the platform. */
export interface VaultSetup {
  readonly policies: readonly Policy[];
  readonly authMethods: readonly Mount[];
  readonly engines: readonly Mount[];
}

/** A policy as the JSON that every server reads. */
export function renderPolicy(policy: Policy): string {
  const path = Object.fromEntries(
    policy.rules.map(({ path, capabilities, allowedParameters }) => [
      path,
      { capabilities, ...(allowedParameters === undefined ? {} : { allowed_parameters: allowedParameters }) },
    ]),
  );
  return JSON.stringify({ path }, null, 2);
}
