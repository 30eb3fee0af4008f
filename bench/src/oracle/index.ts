export { type Comparison, compare, type Oracle, type Outcome, type Rule, type Verdict } from './compare.ts';
export type { JwtCase } from './jwt/case.ts';
export { jwtCases, jwtOracle } from './jwt/oracle.ts';
export type { X509Case } from './x509/case.ts';
export { OpenSsl } from './x509/openssl.ts';
export { x509Cases, x509Oracle } from './x509/oracle.ts';
