/** A block of a provider's schema, in the form that `aws-schema/main.go` reads. */
export interface SchemaBlock {
  readonly attributes: Readonly<Record<string, SchemaAttribute>>;
  readonly blocks: Readonly<
    Record<string, { readonly nesting: 'list' | 'set' | 'single'; readonly block: SchemaBlock }>
  >;
}

/** A type as Terraform writes it in JSON: `"string"`, `["list", "string"]`, `["object", {…}]`. */
export type SchemaType = string | readonly [string, SchemaType | Readonly<Record<string, SchemaType>>];

export interface SchemaAttribute {
  readonly type: SchemaType;
  readonly required?: true;
  readonly optional?: true;
  readonly computed?: true;
}

/** One generated class of `@cdktf/provider-aws`: the sources of its folder. */
export interface CdktfSource {
  readonly js: string;
  readonly types: string;
}

interface Argument {
  readonly isBlock: boolean;
  readonly type: string;
  readonly storage: string;
}

/** The provider fills these when they are not given, which the package does not say; in a data source, everything. */
const FILLED_BY_PROVIDER = new Set(['id', 'region', 'tags_all']);

const PRIMITIVES: Readonly<Record<string, SchemaType>> = {
  string: 'string',
  number: 'number',
  boolean: 'bool',
  stringMap: ['map', 'string'],
};

/** The schema of the resource, data source or provider that the sources make. */
export function schemaOf({ js, types }: CdktfSource): SchemaBlock {
  const bodies = classBodies(js);
  const [, name = '', kind] = /^class (\w+) extends cdktf\.Terraform(Resource|DataSource|Provider) /m.exec(js) ?? [];
  const config = /constructor\(scope: Construct, id: string, config\??: (\w+)/.exec(types)?.[1] ?? '';
  return blockOf(name, argumentsIn(bodies.get(name) ?? ''), requiredOf(types, config));

  function blockOf(owner: string, given: ReadonlyMap<string, Argument>, required: ReadonlySet<string>): SchemaBlock {
    const attributes: Record<string, SchemaAttribute> = {};
    const blocks: Record<string, SchemaBlock['blocks'][string]> = {};
    for (const [argument, { isBlock, type, storage }] of given) {
      if (isBlock) {
        const struct = storage.replace(/List$/, '');
        const inner = argumentsIn(functionBody(js, struct));
        const nesting = type === 'struct' ? singleOrList(struct) : type === 'set' ? 'set' : 'list';
        const block = blockOf(`${struct}OutputReference`, inner, requiredOf(types, struct));
        blocks[argument] = { nesting, block };
      } else {
        const need = required.has(argument) ? { required: true as const } : { optional: true as const };
        const fills = kind === 'DataSource' || FILLED_BY_PROVIDER.has(argument);
        const filled = 'optional' in need && fills ? { computed: true as const } : {};
        attributes[argument] = { type: typeOf(type, storage), ...need, ...filled };
      }
    }
    for (const [attribute, type] of computedIn(owner)) attributes[attribute] ??= { type, computed: true };
    return { attributes, blocks };
  }

  /** Attributes that are only read. */
  function computedIn(owner: string): Map<string, SchemaType> {
    const body = bodies.get(owner) ?? '';
    const found = new Map<string, SchemaType>();
    const plain = /\/\/ (\w+) - computed: true, optional: false, required: false\s+get \w+\(\) \{\s+return (.+);/g;
    for (const [, attribute = '', getter = ''] of body.matchAll(plain)) {
      const kind = /this\.get(\w+)Attribute\('/.exec(getter)?.[1] ?? '';
      const type = READERS[kind];
      if (type !== undefined) found.set(attribute, type);
    }
    const nested =
      /\/\/ (\w+) - computed: true, optional: false, required: false\s+this\._\w+ = new (\w+)\(this, "\w+"(, (?:true|false))?\)/g;
    for (const [, attribute = '', list = '', wrapsSet = ''] of body.matchAll(nested)) {
      const inner = computedIn(list.replace(/List$/, 'OutputReference'));
      const object: SchemaType = ['object', Object.fromEntries(inner)];
      found.set(attribute, list.endsWith('Map') ? ['map', 'string'] : [wrapsSet === ', true' ? 'set' : 'list', object]);
    }
    return found;
  }

  /** Timeouts are one block, other structs are lists of one at most. */
  function singleOrList(struct: string): 'single' | 'list' {
    return struct.endsWith('Timeouts') ? 'single' : 'list';
  }
}

const READERS: Readonly<Record<string, SchemaType>> = {
  String: 'string',
  Number: 'number',
  Boolean: 'bool',
  List: ['list', 'string'],
  StringMap: ['map', 'string'],
};

function typeOf(type: string, storage: string): SchemaType {
  const primitive = PRIMITIVES[storage];
  if (primitive !== undefined) return primitive;
  const element = PRIMITIVES[storage.replace(/List$/, '')];
  if (element === undefined) throw new TypeError(`The package has a storage class that is not known here: ${storage}`);
  return [type === 'set' ? 'set' : 'list', element];
}

function classBodies(js: string): Map<string, string> {
  const parts = js.split(/^class (\w+) extends /m);
  return new Map(parts.flatMap((name, index) => (index % 2 === 1 ? [[name, parts[index + 1] ?? '']] : [])));
}

function functionBody(js: string, struct: string): string {
  const name = `function ${struct.charAt(0).toLowerCase()}${struct.slice(1)}ToHclTerraform(`;
  const from = js.indexOf(name);
  if (from < 0) throw new TypeError(`The package has no ${name}…)`);
  return js.slice(from, js.indexOf('\n}\n', from));
}

function argumentsIn(body: string): Map<string, Argument> {
  const from = body.indexOf('const attrs = {');
  const list =
    from < 0
      ? ''
      : body.slice(from, body.indexOf('\n        };', from) + 1 || body.indexOf('\n    };', from) + 1 || undefined);
  const each = /(\w+): \{\s+value: .+,\s+isBlock: (true|false),\s+type: "(\w+)",\s+storageClassType: "(\w+)",/g;
  return new Map(
    [...list.matchAll(each)].map(([, name = '', isBlock, type = '', storage = '']) => [
      name,
      { isBlock: isBlock === 'true', type, storage },
    ]),
  );
}

function requiredOf(types: string, name: string): Set<string> {
  const from = types.search(new RegExp(`^export interface ${name} `, 'm'));
  if (from < 0) return new Set();
  const body = types.slice(from, types.indexOf('\n}\n', from));
  return new Set([...body.matchAll(/^ {4}readonly (\w+): /gm)].map(([, camel = '']) => snakeCase(camel)));
}

function snakeCase(camel: string): string {
  return camel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
