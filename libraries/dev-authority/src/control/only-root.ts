import type { Answer, Call, Handler } from '../api/route.ts';
import { denied } from '../fault.ts';

/** For a root token, or whoever comes over the control socket. */
export function onlyRoot(handler: Handler): Handler {
  return (call: Call): Answer | Promise<Answer> => {
    if (!call.acl.isRoot) throw denied();
    return handler(call);
  };
}
