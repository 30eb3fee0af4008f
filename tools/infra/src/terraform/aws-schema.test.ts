import { expect, test } from 'vitest';
import { schemaOf } from './aws-schema.ts';

/** As the package writes them, shortened. */
const JS = `function thingRuleToHclTerraform(struct) {
    const attrs = {
        days: {
            value: cdktf.numberToHclTerraform(struct.days),
            isBlock: false,
            type: "simple",
            storageClassType: "number",
        },
    };
    return attrs;
}
class ThingRuleOutputReference extends cdktf.ComplexObject {
}
class ThingPartOutputReference extends cdktf.ComplexObject {
    // issuer - computed: true, optional: false, required: false
    get issuer() {
        return this.getStringAttribute('issuer');
    }
}
class Thing extends cdktf.TerraformResource {
    constructor(scope, id, config) {
        // part - computed: true, optional: false, required: false
        this._part = new ThingPartList(this, "part", false);
    }
    // arn - computed: true, optional: false, required: false
    get arn() {
        return this.getStringAttribute('arn');
    }
    synthesizeHclAttributes() {
        const attrs = {
            name: {
                value: cdktf.stringToHclTerraform(this._name),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            region: {
                value: cdktf.stringToHclTerraform(this._region),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            ids: {
                value: cdktf.listMapperHcl(cdktf.stringToHclTerraform, false)(this._ids),
                isBlock: false,
                type: "set",
                storageClassType: "stringList",
            },
            rule: {
                value: cdktf.listMapperHcl(thingRuleToHclTerraform, true)(this._rule.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "ThingRuleList",
            },
        };
        return attrs;
    }
}
`;
const TYPES = `export interface ThingConfig extends cdktf.TerraformMetaArguments {
    readonly name: string;
    readonly region?: string;
    readonly ids?: string[];
    readonly rule?: ThingRule[] | cdktf.IResolvable;
}
export interface ThingRule {
    readonly days: number;
}
export declare class Thing extends cdktf.TerraformResource {
    constructor(scope: Construct, id: string, config: ThingConfig);
}
`;

test('arguments, blocks and what is only read make a schema', () => {
  expect(schemaOf({ js: JS, types: TYPES })).toEqual({
    attributes: {
      name: { type: 'string', required: true },
      region: { type: 'string', optional: true, computed: true },
      ids: { type: ['set', 'string'], optional: true },
      arn: { type: 'string', computed: true },
      part: { type: ['list', ['object', { issuer: 'string' }]], computed: true },
    },
    blocks: {
      rule: { nesting: 'list', block: { attributes: { days: { type: 'number', required: true } }, blocks: {} } },
    },
  });
});

test('everything of a data source that is not required may be filled by the provider', () => {
  const { attributes } = schemaOf({ js: JS.replace('TerraformResource', 'TerraformDataSource'), types: TYPES });
  expect(attributes.ids).toEqual({ type: ['set', 'string'], optional: true, computed: true });
  expect(attributes.name).toEqual({ type: 'string', required: true });
});

test('a kind of value that is not known is an error, not a guess', () => {
  expect(() => schemaOf({ js: JS.replace('"stringList"', '"dateList"'), types: TYPES })).toThrow(/dateList/);
});
