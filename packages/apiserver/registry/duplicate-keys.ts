/**
 * The paths of object keys that appear more than once in a JSON text. The text must be valid JSON; for other texts
 * (YAML) the answer is empty.
 */
export function duplicateKeys(text: string): readonly string[] {
  const duplicates: string[] = [];
  const stack: { readonly keys: Set<string> | undefined; index: number; key: string }[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  let lastString: string | undefined;
  for (const [part] of text.matchAll(token)) {
    const top = stack.at(-1);
    switch (part) {
      case '{':
      case '[':
        stack.push({ keys: part === '{' ? new Set() : undefined, index: 0, key: '' });
        break;
      case '}':
      case ']':
        stack.pop();
        break;
      case ',':
        if (top !== undefined) top.index++;
        break;
      case ':': {
        if (top?.keys === undefined || lastString === undefined) return [];
        top.key = lastString;
        if (top.keys.has(lastString)) duplicates.push(pathOf(stack));
        top.keys.add(lastString);
        break;
      }
      default:
        try {
          lastString = JSON.parse(part) as string;
        } catch {
          return [];
        }
    }
  }
  return duplicates;
}

function pathOf(
  stack: readonly { readonly keys: unknown; readonly index: number; readonly key: string }[],
): string {
  return stack
    .map(({ keys, index, key }) => (keys === undefined ? `[${index}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
}
