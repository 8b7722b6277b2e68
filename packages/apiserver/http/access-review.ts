import { asObject, type JsonObject } from '#kube-api';
import { methodNotAllowed, pathNotFound } from '../status.ts';
import { type Answer, json } from './answer.ts';
import { type ApiRequest, parseBody } from './request.ts';

const REVIEWS = '/apis/authorization.k8s.io/v1/';
const REASON = 'everyone who is known here may do everything';

/** Whether {@link answerAccessReview} answers there. */
export function isAccessReview(path: string): boolean {
  return statusOf(path) !== undefined;
}

/**
 * Answers `kubectl auth can-i`: there are no roles here, so the answer is always yes.
 * @throws StatusError
 */
export function answerAccessReview(request: ApiRequest): Answer {
  const status = statusOf(request.path);
  if (status === undefined) throw pathNotFound();
  if (request.method !== 'POST') throw methodNotAllowed();
  const review = asObject(parseBody(request));
  return json({ ...review, metadata: asObject(review['metadata']), status }, 201);
}

function statusOf(path: string): JsonObject | undefined {
  switch (path) {
    case `${REVIEWS}selfsubjectaccessreviews`:
    case `${REVIEWS}subjectaccessreviews`:
      return { allowed: true, reason: REASON };
    case `${REVIEWS}selfsubjectrulesreviews`:
      return {
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        incomplete: false,
      };
    default:
      return undefined;
  }
}
