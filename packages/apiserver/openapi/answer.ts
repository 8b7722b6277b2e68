import type { Answer } from '../http/answer.ts';
import type { Kind } from '../registry/kind.ts';
export function answerOpenApi(
  _kinds: readonly Kind[],
  _path: string,
  _accept: string,
  _query: URLSearchParams,
): Answer | undefined {
  return undefined;
}
