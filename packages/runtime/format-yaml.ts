/** A value as a YAML document, long lines unbroken. The writer is loaded with the first call. */
export async function formatYaml(value: unknown): Promise<string> {
  const { stringify } = await import('./yaml-parser.ts');
  return stringify(value, { lineWidth: 0 }).trimEnd();
}
