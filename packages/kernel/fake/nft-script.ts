import type { NftFamily } from '../ports/nft.ts';
import { FakeLimitError } from './limit-error.ts';

export type NftDeclaration = { readonly family: NftFamily; readonly table: string } & (
  | { readonly kind: 'table' }
  | { readonly kind: 'delete-table'; readonly mustExist: boolean }
  | { readonly kind: 'chain'; readonly name: string }
  | { readonly kind: 'set'; readonly name: string; readonly map: boolean; readonly timeout: boolean }
);

/**
 * What a script declares, of the part of the nft language that the fake reads: `table F T { map|set|chain N { … } … }`,
 * `[add|create] table F T`, `delete|destroy table F T`. Bodies of chains are skipped. @throws FakeLimitError for the rest
 */
export function parseNftScript(script: string): readonly NftDeclaration[] {
  const declarations: NftDeclaration[] = [];
  const tokens = tokenize(script);
  let at = 0;
  const next = (): string => tokens[at++] ?? '';
  while (at < tokens.length) {
    const word = next();
    if (word === ';' || word === '\n') continue;
    const verb = word === 'table' ? 'add' : word;
    if (word !== 'table' && next() !== 'table')
      throw new FakeLimitError(`the fake kernel does not read ${JSON.stringify(word)} in an nft script`);
    const family = next() as NftFamily;
    const table = next();
    if (verb === 'delete' || verb === 'destroy') {
      declarations.push({ kind: 'delete-table', family, table, mustExist: verb === 'delete' });
      continue;
    }
    if (verb !== 'add' && verb !== 'create')
      throw new FakeLimitError(`the fake kernel does not read "${verb} table" in an nft script`);
    declarations.push({ kind: 'table', family, table });
    if (tokens[at] !== '{') continue;
    const body = block(tokens, at);
    at = body.end;
    declarations.push(...readTable(body.tokens, family, table));
  }
  return declarations;
}

function readTable(tokens: readonly string[], family: NftFamily, table: string): NftDeclaration[] {
  const declarations: NftDeclaration[] = [];
  for (let at = 0; at < tokens.length; ) {
    const word = tokens[at] ?? '';
    if (word === '\n' || word === ';') {
      at++;
      continue;
    }
    const name = tokens[at + 1] ?? '';
    if (word === 'comment' || word === 'flags') {
      at += 2;
      continue;
    }
    if (word !== 'chain' && word !== 'set' && word !== 'map')
      throw new FakeLimitError(`the fake kernel does not read ${JSON.stringify(word)} in an nft table`);
    const body = block(tokens, at + 2);
    at = body.end;
    if (word === 'chain') declarations.push({ kind: 'chain', family, table, name });
    else {
      if (body.tokens.includes('elements'))
        throw new FakeLimitError('the fake kernel does not read elements in an nft script: use elements()');
      const timeout = body.tokens.some((token) => /(^|,)timeout(,|$)/.test(token));
      declarations.push({ kind: 'set', family, table, name, map: word === 'map', timeout });
    }
  }
  return declarations;
}

/** The tokens between a brace and its partner. */
function block(
  tokens: readonly string[],
  open: number,
): { readonly tokens: readonly string[]; readonly end: number } {
  if (tokens[open] !== '{')
    throw new FakeLimitError(`the fake kernel expects "{" before ${tokens[open] ?? 'the end'}`);
  for (let at = open, depth = 0; at < tokens.length; at++) {
    if (tokens[at] === '{') depth++;
    if (tokens[at] === '}' && --depth === 0) return { tokens: tokens.slice(open + 1, at), end: at + 1 };
  }
  throw new FakeLimitError('the fake kernel misses a "}" in an nft script');
}

function tokenize(script: string): readonly string[] {
  return script.replaceAll(/#[^\n]*/g, '').match(/"[^"]*"|[{};\n]|[^\s{};"]+/g) ?? [];
}
