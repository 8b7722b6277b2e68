import { type LabPaths, labPaths, noSuchLab, parseLabName, summarizeLab } from '#lab';

/** Where a lab's files are. @throws InvalidInputError for a name that is none, LabError when there is no such lab */
export function existingLab(labs: string, name: string): LabPaths {
  const parsed = parseLabName(name);
  if (summarizeLab(labs, parsed) === undefined) throw noSuchLab(labs, parsed);
  return labPaths(labs, parsed);
}
