import type { Clock } from '@neural-hive/security/common';
import { type SecurityHealth, type SecurityHealthParts, securityHealth } from '@neural-hive/security/credentials';
import type { VaultClient, VaultHealth } from '@neural-hive/security/vault';
import type { CheckResult } from './observability-server.ts';

type HeldCredential = NonNullable<SecurityHealthParts['credentials']>[number];

export interface SecurityStateOptions {
  /** `VAULT_FAIL_OPEN`: whether the process is worth keeping although its security does not hold. */
  readonly failOpen: boolean;
  /** `X509Source`, `JwtSource`, by the name that is shown. */
  readonly identities: NonNullable<SecurityHealthParts['identities']>;
  /** How long the Vault server may take to say how it is. In milliseconds; default 2 000. */
  readonly limitMs?: number;
  readonly clock?: Clock;
}

/**
 * What the security of a service hangs on, for its probes. Vault is missing until `useVault`, which a service opens
 * after its probes are answered.
 */
export class SecurityState {
  readonly #options: SecurityStateOptions;
  readonly #credentials: HeldCredential[] = [];
  #vault: Pick<VaultClient, 'health' | 'leases'> | undefined;

  constructor(options: SecurityStateOptions) {
    this.#options = options;
  }

  useVault(client: Pick<VaultClient, 'health' | 'leases'>): void {
    this.#vault = client;
  }

  /** Looks at a credential that lives as long as the service; a `RotatingCredential` is one. */
  watch(credential: HeldCredential): void {
    this.#credentials.push(credential);
  }

  /** Never rejects. */
  async look(): Promise<SecurityHealth & { readonly parts: SecurityParts }> {
    const { identities, limitMs = 2_000, clock } = this.#options;
    const vault = this.#vault;
    const health = await vault?.health({ signal: AbortSignal.timeout(limitMs) });
    const found = await securityHealth({
      vault: health && { health: async () => health },
      vaultExpected: true,
      ...(vault !== undefined && { leases: vault.leases }),
      credentials: this.#credentials,
      identities,
      ...(clock !== undefined && { clock }),
    });
    const svids = Object.entries(identities).map(([name, identity]) => [name, identity.health().state]);
    return { ...found, parts: { ...vaultParts(health, vault), svids: Object.fromEntries(svids) } };
  }

  /**
   * For `/health`: 503 when something has ended or is missing, since starting anew may help; not when the service was told
   * to go on without (`VAULT_FAIL_OPEN`), which it then says.
   */
  readonly health = async (): Promise<CheckResult> => {
    const { failOpen } = this.#options;
    const { state, reasons, msLeft, parts } = await this.look();
    const going = state === 'unhealthy' && failOpen ? { failOpen } : {};
    return { ok: state !== 'unhealthy' || failOpen, state, reasons, msLeft, ...going, ...parts };
  };
}

/** How each part is. */
export interface SecurityParts {
  /** When the token ends, in epoch milliseconds; absent without Vault. */
  readonly tokenExpiresAtMs?: number;
  readonly breaker?: VaultHealth['breaker'];
  /** Leases that are held, by state. */
  readonly leases?: Readonly<Record<string, number>>;
  readonly svids: Readonly<Record<string, string>>;
}

function vaultParts(
  health: VaultHealth | undefined,
  vault: Pick<VaultClient, 'leases'> | undefined,
): Omit<SecurityParts, 'svids'> {
  if (health === undefined || vault === undefined) return {};
  const leases: Record<string, number> = { active: 0, failing: 0, ending: 0 };
  for (const { state } of vault.leases.list()) leases[state] = (leases[state] ?? 0) + 1;
  return { tokenExpiresAtMs: health.tokenExpiresAtMs, breaker: health.breaker, leases };
}
