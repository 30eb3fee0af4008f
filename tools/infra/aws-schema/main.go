// A provider that knows the schema of AWS and nothing else: no credentials, no requests. With it terraform checks every
// block, argument and reference offline, and its tests replace what a resource would answer.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

const address = "registry.terraform.io/hashicorp/aws"

//go:embed schema.json
var document []byte

type attribute struct {
	Type     json.RawMessage
	Required bool
	Optional bool
	Computed bool
}

type nested struct {
	Nesting string
	Block   block
}

type block struct {
	Attributes map[string]attribute
	Blocks     map[string]nested
}

type schema struct {
	Provider    block
	Resources   map[string]block
	DataSources map[string]block `json:"data_sources"`
}

var nestings = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
}

func (b block) protocol() *tfprotov5.SchemaBlock {
	out := &tfprotov5.SchemaBlock{}
	for name, given := range b.Attributes {
		kind, err := tftypes.ParseJSONType(given.Type) //nolint:staticcheck // the only reader of this format
		if err != nil {
			log.Fatalf("schema.json: %s: %s", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: kind, Required: given.Required, Optional: given.Optional, Computed: given.Computed,
		})
	}
	for name, given := range b.Blocks {
		mode, known := nestings[given.Nesting]
		if !known {
			log.Fatalf("schema.json: %s: there is no nesting %q", name, given.Nesting)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Nesting: mode, Block: given.Block.protocol(),
		})
	}
	return out
}

func protocols(blocks map[string]block) map[string]*tfprotov5.Schema {
	out := map[string]*tfprotov5.Schema{}
	for name, given := range blocks {
		out[name] = &tfprotov5.Schema{Block: given.protocol()}
	}
	return out
}

// The embedded interface is nil: what is not answered below is never asked of a provider that tests replace.
type provider struct {
	tfprotov5.ProviderServer
	schema schema
}

func (p provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	out := &tfprotov5.GetMetadataResponse{ServerCapabilities: &tfprotov5.ServerCapabilities{GetProviderSchemaOptional: true}}
	for name := range p.schema.Resources {
		out.Resources = append(out.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range p.schema.DataSources {
		out.DataSources = append(out.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return out, nil
}

func (p provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{
		Provider:          &tfprotov5.Schema{Block: p.schema.Provider.protocol()},
		ResourceSchemas:   protocols(p.schema.Resources),
		DataSourceSchemas: protocols(p.schema.DataSources),
	}, nil
}

func (p provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (p provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{Diagnostics: []*tfprotov5.Diagnostic{{
		Severity: tfprotov5.DiagnosticSeverityError,
		Summary:  "This provider only knows the schema of AWS",
		Detail:   "It is for validate and for tests with mock_provider. Use hashicorp/aws to plan and apply.",
	}}}, nil
}

func (p provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func main() {
	var known schema
	if err := json.Unmarshal(document, &known); err != nil {
		log.Fatalf("schema.json: %s", err)
	}
	err := tf5server.Serve(address, func() tfprotov5.ProviderServer { return provider{schema: known} })
	if err != nil {
		log.Fatal(err)
	}
}
