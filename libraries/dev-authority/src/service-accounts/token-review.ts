import { isRecord } from '../api/fields.ts';
import type { Answer, Backend, Call } from '../api/route.ts';
import type { ServiceAccountIssuer } from './service-account-issuer.ts';

export const TOKEN_REVIEW_MOUNT = '/apis/authentication.k8s.io/v1/';

/** `POST /apis/authentication.k8s.io/v1/tokenreviews`, as a Kubernetes API server answers it. */
export function tokenReviewBackend(issuer: ServiceAccountIssuer): Backend {
  const review = ({ bearer, fields }: Call): Answer => {
    // A cluster asks for the role system:auth-delegator; here any service account may have a token reviewed.
    if (bearer === undefined || issuer.review(bearer, []) === undefined) return statusAnswer(401, 'Unauthorized');
    const spec = fields.get('spec');
    const token = isRecord(spec) ? spec.token : undefined;
    if (typeof token !== 'string' || token === '') return statusAnswer(400, 'BadRequest');
    const asked = isRecord(spec) && Array.isArray(spec.audiences) ? spec.audiences.map(String) : [];
    const reviewed = issuer.review(token, asked);
    return json(201, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {},
      spec: { token, ...(asked.length === 0 ? {} : { audiences: asked }) },
      status:
        reviewed === undefined
          ? { authenticated: false, user: {}, error: 'the token is not valid for these audiences' }
          : {
              authenticated: true,
              user: {
                username: `system:serviceaccount:${reviewed.namespace}:${reviewed.name}`,
                uid: reviewed.uid,
                groups: [
                  'system:serviceaccounts',
                  `system:serviceaccounts:${reviewed.namespace}`,
                  'system:authenticated',
                ],
              },
              audiences: reviewed.audiences,
            },
    });
  };
  return { routes: [{ path: 'tokenreviews', open: true, write: review }], save: () => undefined };
}

function statusAnswer(code: number, reason: string): Answer {
  return json(code, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: reason,
    reason,
    code,
  });
}

function json(status: number, body: unknown): Answer {
  return { status, raw: { contentType: 'application/json', body: JSON.stringify(body) }, changed: false };
}
