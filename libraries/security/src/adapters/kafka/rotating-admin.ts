import type { Admin } from 'kafkajs';
import { type RotatingCredential, RotatingResource, type RotatingResourceOptions } from '../../credentials/index.ts';
import { type KafkaClient, kafkaClients, type RotatingKafkaConfig } from './kafkajs-client.ts';
import type { KafkaLogin } from './login.ts';

/** A kafkajs admin client that follows a rotating credential. */
export interface RotatingAdmin extends AsyncDisposable {
  /** The generation that new work uses. */
  readonly generation: number;
  /** Runs `work` on the newest client, which stays connected until `work` has ended or the drain deadline comes. */
  use<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
  /** Lets the work under way end. Idempotent. */
  close(): Promise<void>;
  /** Ends the connections now. Idempotent. */
  destroy(): Promise<void>;
}

/** Opens a kafkajs admin client whose logins come from `credential`. */
export async function rotatingAdmin(
  credential: RotatingCredential<KafkaLogin>,
  config: RotatingKafkaConfig,
  options: RotatingResourceOptions = {},
): Promise<RotatingAdmin> {
  const make = kafkaClients(
    config,
    (kafka) => kafka.admin(),
    (client) => client.connect(),
  );
  const resource: RotatingResource<KafkaLogin, KafkaClient<Admin>> = await RotatingResource.open(
    credential,
    make,
    options,
  );
  const close = (): Promise<void> => resource.close();
  return {
    get generation() {
      return resource.generation;
    },
    use: (work) => resource.use(({ client }) => work(client)),
    close,
    destroy: () => resource.destroy(),
    [Symbol.asyncDispose]: close,
  };
}
