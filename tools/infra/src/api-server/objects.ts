import type { KubernetesApi } from '@neural-hive/real-stack';
import { at, listAt, type Manifest } from '../manifests.ts';

interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  /** Of its collection, as in a path: `statefulsets`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Made by controllers for what happens, not by anybody for what is wanted. */
const NOT_COUNTED: readonly string[] = ['Event', 'Lease', 'ComponentStatus'];

/** In every namespace, made with it. */
const OF_NAMESPACES: readonly string[] = ['ConfigMap kube-root-ca.crt', 'ServiceAccount default'];

/** What an API server keeps, of whatever kind. */
export class Objects {
  readonly #api: KubernetesApi;
  readonly #kinds: readonly Kind[];

  private constructor(api: KubernetesApi, kinds: readonly Kind[]) {
    this.#api = api;
    this.#kinds = kinds;
  }

  /** Asks which kinds there are: once the custom resources are defined. */
  static async discover(api: KubernetesApi): Promise<Objects> {
    const groups = listAt((await api.call('/apis')).json, 'groups');
    const versions = groups.map((group) => String(at(group, 'preferredVersion.groupVersion')));
    const kinds: Kind[] = [];
    for (const apiVersion of ['v1', ...versions]) {
      const { json } = await api.call(rootOf(apiVersion));
      for (const resource of listAt(json, 'resources')) {
        const plural = String(at(resource, 'name'));
        const kind = String(at(resource, 'kind'));
        if (!listAt(resource, 'verbs').includes('list') || plural.includes('/') || NOT_COUNTED.includes(kind)) continue;
        kinds.push({ apiVersion, kind, plural, namespaced: at(resource, 'namespaced') === true });
      }
    }
    return new Objects(api, kinds);
  }

  /** Every object as `Kind namespace/name`, but for what each namespace has from the beginning. */
  async all(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { apiVersion, kind, plural } of this.#kinds) {
      const { json } = await this.#api.call(`${rootOf(apiVersion)}/${plural}`);
      for (const object of listAt(json, 'items')) {
        const name = String(at(object, 'metadata.name'));
        const namespace = at(object, 'metadata.namespace');
        if (OF_NAMESPACES.includes(`${kind} ${name}`)) continue;
        found.push(`${kind} ${namespace === undefined ? '' : `${String(namespace)}/`}${name}`);
      }
    }
    return found;
  }

  /** The path of an object that a chart renders. */
  pathOf({ apiVersion, kind, metadata }: Manifest): string {
    const found = this.#kinds.find((one) => one.apiVersion === apiVersion && one.kind === kind);
    if (found === undefined) throw new RangeError(`the API server does not know ${apiVersion} ${kind}`);
    const { plural, namespaced } = found;
    const place = namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
    return `${rootOf(apiVersion)}${place}/${plural}/${metadata.name}`;
  }

  /** The object as it is now, or undefined. */
  async find(manifest: Manifest): Promise<unknown> {
    const { status, json } = await this.#api.call(this.pathOf(manifest));
    return status === 200 ? json : undefined;
  }
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}
