import {
  AUDIENCES,
  SPIFFE_IDS,
  SPIFFE_ISSUER,
  VAULT_MOUNTS,
  WORKLOAD_NAMES,
  WORKLOADS,
  workloadSpiffeId,
} from '@neural-hive/contracts';
import { TEMPORAL_SERVICE_ACCOUNT } from './names.ts';
import type { SetupParameters } from './parameters.ts';
import {
  ANNOUNCE_ROTATOR_POLICY,
  BOOTSTRAP_POLICY,
  MIGRATOR_POLICY,
  OPERATOR_POLICY,
  TEMPORAL_SERVER_POLICY,
  USER_ROTATOR_POLICY,
} from './policies.ts';
import type { Entry, Fields, Mount } from './setup.ts';

/** Who logs in as what. The role, its policy and the service account have one name. */
interface Login {
  readonly role: string;
  readonly spiffeId: string;
  readonly serviceAccount: { readonly namespace: string; readonly name: string } | undefined;
  /** A token that does one job lives for minutes and cannot be renewed past them. */
  readonly job: boolean;
}

const BOOTSTRAP_NAMESPACE = 'vault';

function loginsOfPlatform(): readonly Login[] {
  const services = WORKLOAD_NAMES.map((role) => {
    const { namespace, serviceAccount } = WORKLOADS[role];
    return { role, spiffeId: workloadSpiffeId(role), serviceAccount: { namespace, name: serviceAccount }, job: false };
  });
  const { namespace } = WORKLOADS['orchestrator-dynamic'];
  const migrator = { namespace, name: MIGRATOR_POLICY.name };
  const rotator = { namespace, name: USER_ROTATOR_POLICY.name };
  const bootstrap = { namespace: BOOTSTRAP_NAMESPACE, name: BOOTSTRAP_POLICY.name };
  const tool = { spiffeId: SPIFFE_IDS.operator, job: true };
  return [
    ...services,
    { role: OPERATOR_POLICY.name, serviceAccount: undefined, ...tool },
    { role: MIGRATOR_POLICY.name, serviceAccount: migrator, ...tool },
    { role: ANNOUNCE_ROTATOR_POLICY.name, serviceAccount: undefined, ...tool },
    { role: USER_ROTATOR_POLICY.name, serviceAccount: rotator, ...tool },
    { role: BOOTSTRAP_POLICY.name, serviceAccount: bootstrap, spiffeId: '', job: true },
    { role: TEMPORAL_SERVER_POLICY.name, serviceAccount: TEMPORAL_SERVICE_ACCOUNT, spiffeId: '', job: false },
  ];
}

function tokenFields({ role, job }: Login, { lifetimes }: SetupParameters): Fields {
  return {
    token_policies: [role],
    token_no_default_policy: true,
    token_ttl: job ? lifetimes.jobSeconds : lifetimes.tokenSeconds,
    token_max_ttl: job ? lifetimes.jobSeconds : lifetimes.tokenMaxSeconds,
  };
}

function jwtMethod(parameters: SetupParameters): Mount {
  const { jwt } = parameters;
  const keys =
    jwt?.jwksUrl !== undefined
      ? { jwks_url: jwt.jwksUrl, ...(jwt.jwksCa === undefined ? {} : { jwks_ca_pem: jwt.jwksCa }) }
      : jwt?.publicKeys !== undefined
        ? { jwt_validation_pubkeys: jwt.publicKeys }
        : { provider_config: { provider: jwt?.provider } };
  const config: Entry = { name: 'jwt issuer', path: 'config', fields: { bound_issuer: SPIFFE_ISSUER, ...keys } };
  const roles = loginsOfPlatform()
    .filter(({ spiffeId }) => spiffeId !== '')
    .map(
      (login): Entry => ({
        name: `jwt role ${login.role}`,
        path: `role/${login.role}`,
        fields: {
          role_type: 'jwt',
          bound_audiences: [AUDIENCES.vault],
          bound_subject: login.spiffeId,
          user_claim: 'sub',
          // One clock for the short-lived tokens of SPIFFE: a longer leeway would outlive them.
          ...LEEWAY,
          ...tokenFields(login, parameters),
        },
      }),
    );
  return { path: VAULT_MOUNTS.jwt, type: 'jwt', entries: jwt === undefined ? [] : [config, ...roles] };
}

/** A negative value turns the servers' default of 150 s off. */
const LEEWAY = { clock_skew_leeway: 5, expiration_leeway: -1, not_before_leeway: -1 };

function kubernetesMethod(parameters: SetupParameters): Mount {
  const { kubernetes } = parameters;
  const config: Entry = {
    name: 'kubernetes cluster',
    path: 'config',
    fields: {
      kubernetes_host: kubernetes?.host,
      disable_local_ca_jwt: kubernetes?.reviewerToken !== undefined || kubernetes?.ca !== undefined,
      ...(kubernetes?.ca === undefined ? {} : { kubernetes_ca_cert: kubernetes.ca }),
    },
    ...(kubernetes?.reviewerToken === undefined
      ? {}
      : { secretFields: { token_reviewer_jwt: kubernetes.reviewerToken } }),
  };
  const roles = loginsOfPlatform().flatMap((login): Entry[] =>
    login.serviceAccount === undefined
      ? []
      : [
          {
            name: `kubernetes role ${login.role}`,
            path: `role/${login.role}`,
            fields: {
              bound_service_account_names: [login.serviceAccount.name],
              bound_service_account_namespaces: [login.serviceAccount.namespace],
              audience: AUDIENCES.vault,
              ...tokenFields(login, parameters),
            },
          },
        ],
  );
  const entries = kubernetes === undefined ? [] : [config, ...roles];
  return { path: VAULT_MOUNTS.kubernetes, type: 'kubernetes', entries };
}

function certMethod(parameters: SetupParameters): Mount {
  const { spiffeBundle } = parameters;
  const roles = loginsOfPlatform()
    .filter(({ job, spiffeId }) => !job && spiffeId !== '')
    .map(
      (login): Entry => ({
        name: `cert role ${login.role}`,
        path: `certs/${login.role}`,
        fields: {
          certificate: spiffeBundle,
          allowed_uri_sans: [login.spiffeId],
          ...tokenFields(login, parameters),
        },
      }),
    );
  return { path: VAULT_MOUNTS.cert, type: 'cert', entries: spiffeBundle === undefined ? [] : roles };
}

/** Only methods whose parameters are given are mounted: an unconfigured one is an open door to nothing. */
export function authMethods(parameters: SetupParameters): readonly Mount[] {
  return [jwtMethod(parameters), kubernetesMethod(parameters), certMethod(parameters)].filter(
    ({ entries }) => entries.length > 0,
  );
}
