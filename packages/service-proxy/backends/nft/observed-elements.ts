/** What a table's listing holds: set -> key -> value. */
export type ObservedElements = ReadonlyMap<string, Map<string, string>>;
