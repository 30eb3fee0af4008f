// Package ejbca has the names that SPIRE's EJBCA plugin compiles against. It talks to no server: the plugin fails with
// ErrNotBuilt as soon as it is configured.
package ejbca

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
)

// ErrNotBuilt is what every call returns.
var ErrNotBuilt = errors.New("this build of SPIRE has no EJBCA client")

// Authenticator would authenticate requests.
type Authenticator interface {
	GetHttpClient() (*http.Client, error)
}

// MTLSAuthenticatorBuilder builds no authenticator.
type MTLSAuthenticatorBuilder struct{}

// NewMTLSAuthenticatorBuilder returns a builder whose Build fails.
func NewMTLSAuthenticatorBuilder() *MTLSAuthenticatorBuilder {
	return &MTLSAuthenticatorBuilder{}
}

// WithClientCertificate changes nothing.
func (b *MTLSAuthenticatorBuilder) WithClientCertificate(*tls.Certificate) *MTLSAuthenticatorBuilder {
	return b
}

// WithCaCertificates changes nothing.
func (b *MTLSAuthenticatorBuilder) WithCaCertificates([]*x509.Certificate) *MTLSAuthenticatorBuilder {
	return b
}

// Build fails.
func (b *MTLSAuthenticatorBuilder) Build() (Authenticator, error) {
	return nil, ErrNotBuilt
}

// Configuration holds what the plugin sets.
type Configuration struct {
	Host string
}

// NewConfiguration returns an empty configuration.
func NewConfiguration() *Configuration {
	return &Configuration{}
}

// SetAuthenticator changes nothing.
func (c *Configuration) SetAuthenticator(Authenticator) {}

// APIClient is never made.
type APIClient struct {
	V1CertificateApi *V1CertificateApiService
}

// NewAPIClient fails.
func NewAPIClient(*Configuration) (*APIClient, error) {
	return nil, ErrNotBuilt
}

// V1CertificateApiService is never made.
type V1CertificateApiService struct{}

// EnrollPkcs10Certificate returns a request whose Execute fails.
func (s *V1CertificateApiService) EnrollPkcs10Certificate(context.Context) ApiEnrollPkcs10CertificateRequest {
	return ApiEnrollPkcs10CertificateRequest{}
}

// ApiEnrollPkcs10CertificateRequest is sent nowhere.
type ApiEnrollPkcs10CertificateRequest struct{}

// EnrollCertificateRestRequest changes nothing.
func (r ApiEnrollPkcs10CertificateRequest) EnrollCertificateRestRequest(EnrollCertificateRestRequest) ApiEnrollPkcs10CertificateRequest {
	return r
}

// Execute fails.
func (r ApiEnrollPkcs10CertificateRequest) Execute() (*CertificateRestResponse, *http.Response, error) {
	return nil, nil, ErrNotBuilt
}

// EnrollCertificateRestRequest keeps nothing of what it is given.
type EnrollCertificateRestRequest struct{}

// NewEnrollCertificateRestRequest returns an empty request.
func NewEnrollCertificateRestRequest() *EnrollCertificateRestRequest {
	return &EnrollCertificateRestRequest{}
}

func (r *EnrollCertificateRestRequest) SetUsername(string)                 {}
func (r *EnrollCertificateRestRequest) SetPassword(string)                 {}
func (r *EnrollCertificateRestRequest) SetCertificateRequest(string)       {}
func (r *EnrollCertificateRestRequest) SetCertificateAuthorityName(string) {}
func (r *EnrollCertificateRestRequest) SetCertificateProfileName(string)   {}
func (r *EnrollCertificateRestRequest) SetEndEntityProfileName(string)     {}
func (r *EnrollCertificateRestRequest) SetIncludeChain(bool)               {}
func (r *EnrollCertificateRestRequest) SetAccountBindingId(string)         {}

// CertificateRestResponse is never received.
type CertificateRestResponse struct {
	CertificateChain []string
}

// GetResponseFormat returns nothing.
func (r *CertificateRestResponse) GetResponseFormat() string { return "" }

// GetCertificate returns nothing.
func (r *CertificateRestResponse) GetCertificate() string { return "" }

// GenericOpenAPIError is never returned.
type GenericOpenAPIError struct{}

// Error says that there is no client.
func (e GenericOpenAPIError) Error() string { return ErrNotBuilt.Error() }

// Body returns nothing.
func (e GenericOpenAPIError) Body() []byte { return nil }
