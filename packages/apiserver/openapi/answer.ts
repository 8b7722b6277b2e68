import { createHash } from 'node:crypto';
import { apiVersionOf } from '#kube-api';
import { type Answer, json } from '../http/answer.ts';
import { StatusError } from '../status.ts';
import { apiDocument, type Documented } from './document.ts';
import { openApiV2Json, openApiV2Protobuf } from './v2.ts';
import { openApiV3Json } from './v3.ts';

/** Clients ask with `@v1.0` too, but no MIME parser accepts that in an answer. */
const V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Documents are made when first asked for, and kept: the kinds never change while the server runs. */
const made = new Map<string, string | Uint8Array>();

function cached(key: string, make: () => string | Uint8Array): string | Uint8Array {
  let body = made.get(key);
  if (body === undefined) {
    body = make();
    made.set(key, body);
  }
  return body;
}

/** Answers `/openapi/v2`, `/openapi/v3` and `/openapi/v3/apis/GROUP/VERSION`; undefined for other paths. */
export function answerOpenApi(
  kinds: readonly Documented[],
  path: string,
  accept: string,
): Answer | undefined {
  if (path === '/openapi/v2') {
    if (accept.includes('proto-openapi.spec.v2'))
      return {
        code: 200,
        contentType: V2_PROTOBUF,
        body: cached('v2.pb', () => openApiV2Protobuf(apiDocument(kinds))),
      };
    return jsonText(cached('v2', () => JSON.stringify(openApiV2Json(apiDocument(kinds)))));
  }
  const groups = Map.groupBy(kinds, ({ resource }) =>
    resource.group === '' ? `api/${resource.version}` : `apis/${apiVersionOf(resource)}`,
  );
  if (path === '/openapi/v3' || path === '/openapi/v3/') {
    const entries = [...groups.keys()].map((name) => [
      name,
      { serverRelativeURL: `/openapi/v3/${name}?hash=${hash(v3(name, groups.get(name) ?? []))}` },
    ]);
    return json({ paths: Object.fromEntries(entries) });
  }
  const name = path.slice('/openapi/v3/'.length);
  const found = path.startsWith('/openapi/v3/') ? groups.get(name) : undefined;
  if (found === undefined) return undefined;
  if (accept !== '' && !/application\/(json|\*)|\*\/\*/.test(accept))
    throw new StatusError(
      406,
      'NotAcceptable',
      'only the following media types are accepted: application/json',
    );
  return jsonText(v3(name, found));
}

function v3(name: string, kinds: readonly Documented[]): string | Uint8Array {
  return cached(name, () => JSON.stringify(openApiV3Json(apiDocument(kinds))));
}

function jsonText(body: string | Uint8Array): Answer {
  return { code: 200, contentType: 'application/json', body };
}

/** Clients keep documents under this. */
function hash(body: string | Uint8Array): string {
  return createHash('sha256').update(body).digest('hex').toUpperCase();
}
