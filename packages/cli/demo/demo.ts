import type { CommandContext } from '../context.ts';
export async function runDemo(
  _context: CommandContext,
  _options: { readonly keep: boolean },
): Promise<number> {
  return 1;
}
