export {
  createWimseProof,
  WIT_HEADER,
  type WimseProofOptions,
  type WimseProofRequest,
  WPT_HEADER,
  wimseProof,
} from './wimse-proof.ts';
export { parseWitBundle, type WitBundle, type WitBundleSource, type WitKey } from './wit-bundle.ts';
export { fetchWitBundles, fetchWitSvids, type WitRequest, watchWitBundles, watchWitSvids } from './wit-calls.ts';
export { parseWitSvid, type WitSvid } from './wit-svid.ts';
export { type VerifiedWitSvid, verifyWitSvid, type WitConfirmation, type WitVerifyOptions } from './wit-verify.ts';
