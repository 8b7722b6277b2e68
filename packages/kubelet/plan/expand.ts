/**
 * Expands `$(NAME)` as Kubernetes does in command, args and env: `$$` is a `$` that expands nothing, and a reference to
 * a name that is not there stays as it is.
 */
export function expandReferences(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) =>
    name === undefined ? '$' : (lookup(name) ?? whole),
  );
}
