import { parseArgs } from 'node:util';
import { InvalidInputError } from '#runtime';

/** What `up` tells the supervisor that it starts: an internal command's flags. */
export interface SupervisorOptions {
  readonly directory: string;
  /** When the user's command began, milliseconds since the epoch. */
  readonly startedAt: number;
  /** The lab was made by this `up`, and goes when the boot fails. */
  readonly isNew: boolean;
}

export function formatSupervisorOptions({
  directory,
  startedAt,
  isNew,
}: SupervisorOptions): readonly string[] {
  return ['--directory', directory, '--started-at', String(startedAt), ...(isNew ? ['--new'] : [])];
}

/** @throws InvalidInputError */
export function parseSupervisorOptions(args: readonly string[]): SupervisorOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      directory: { type: 'string', default: '' },
      'started-at': { type: 'string', default: '' },
      new: { type: 'boolean', default: false },
    },
    strict: true,
  });
  const startedAt = Number(values['started-at']);
  if (!values.directory.startsWith('/'))
    throw new InvalidInputError('--directory', values.directory, 'must be an absolute path');
  if (values['started-at'] === '' || !Number.isFinite(startedAt))
    throw new InvalidInputError('--started-at', values['started-at'], 'must be milliseconds since the epoch');
  return { directory: values.directory, startedAt, isNew: values.new };
}
