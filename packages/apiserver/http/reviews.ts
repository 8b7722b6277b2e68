import {
  apiVersionOf,
  asObject,
  type JsonObject,
  type Resource,
  resourcePath,
  type UserInfo,
} from '#kube-api';
import { methodNotAllowed } from '../status.ts';
import { type Answer, json } from './answer.ts';
import { type ApiRequest, parseBody } from './request.ts';

/** A kind that is created only, and answered at once: nothing of it is stored. */
export interface Review {
  readonly resource: Resource<JsonObject>;
  /** The name in schema.json. */
  readonly definition: string;
  readonly singular: string;
  readonly createOnly: true;
  /** @param user who asks */
  readonly status: (user: UserInfo) => object;
}

const ALLOWED = { allowed: true, reason: 'everyone who is known here may do everything' };
const ALL_RULES = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  incomplete: false,
};

const whoAmI = (version: string): Review =>
  review('authentication', version, 'SelfSubjectReview', (userInfo) => ({ userInfo }));

/** What `kubectl auth whoami` and `kubectl auth can-i` ask: there are no roles here, so the answer to the latter is always yes. */
export const REVIEWS: readonly Review[] = [
  whoAmI('v1'),
  review('authorization', 'v1', 'SelfSubjectAccessReview', () => ALLOWED),
  review('authorization', 'v1', 'SelfSubjectRulesReview', () => ALL_RULES),
  review('authorization', 'v1', 'SubjectAccessReview', () => ALLOWED),
];

/** All that kubectl 1.26 and 1.27 know; discovery does not tell of them, as a present kube-apiserver's does not. */
const FORMER = ['v1beta1', 'v1alpha1'].map(whoAmI);

const byPath = new Map([...REVIEWS, ...FORMER].map((each) => [resourcePath(each.resource, {}), each]));

/** The kind that is created at a path; undefined when it is none of these. */
export function findReview(path: string): Review | undefined {
  return byPath.get(path);
}

/** @throws StatusError */
export function answerReview({ resource, status }: Review, request: ApiRequest, user: UserInfo): Answer {
  if (request.method !== 'POST') throw methodNotAllowed();
  const given = asObject(parseBody(request));
  const type = { kind: resource.kind, apiVersion: apiVersionOf(resource) };
  return json(
    { ...given, ...type, metadata: asObject(given['metadata']), status: status(user) as JsonObject },
    201,
  );
}

function review(
  group: 'authentication' | 'authorization',
  version: string,
  kind: string,
  status: Review['status'],
): Review {
  const singular = kind.toLowerCase();
  return {
    resource: { group: `${group}.k8s.io`, version, plural: `${singular}s`, kind, namespaced: false },
    definition: `io.k8s.api.${group}.${version}.${kind}`,
    singular,
    createOnly: true,
    status,
  };
}
