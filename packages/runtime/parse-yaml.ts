/** How often a text may refer to its anchors: more is a bomb, not a manifest. */
const MAX_ALIASES = 100;

/** What a YAML document says. The parser is loaded with the first call: most processes never see any. @throws Error that says where it is wrong */
export async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import('./yaml-parser.ts');
  return parse(text, { maxAliasCount: MAX_ALIASES });
}
