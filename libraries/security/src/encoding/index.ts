export { decodeBase64, decodeBase64Url, encodeBase64Url } from './base64.ts';
export { type CertificateRequestFields, createCertificateRequest } from './certificate-request.ts';
export { contextTag, type DerElement, TAG } from './der-element.ts';
export { DerReader, MAX_DER_BYTES, splitDer } from './der-reader.ts';
export { decodeIa5, decodeOid, decodeTime } from './der-values.ts';
export { parseDurationMs } from './duration.ts';
export { EncodingError, type EncodingErrorCode } from './encoding-error.ts';
export { encodePem, MAX_PEM_CHARACTERS, type PemBlock, parsePem } from './pem.ts';
export {
  type ExactJsonObject,
  type ExactJsonValue,
  type JsonObject,
  type JsonValue,
  parseExactJson,
  parseStrictJson,
  type StrictJsonOptions,
} from './strict-json.ts';
