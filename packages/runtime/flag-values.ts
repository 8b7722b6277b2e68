import { errorMessage, InvalidInputError } from './errors.ts';

/**
 * What `read` makes of a flag's value. @param flag as the user writes it, `--name`
 * @throws InvalidInputError that names the flag and says what was wrong
 */
export function flagValue<T>(flag: string, value: string, read: (value: string) => T): T {
  try {
    return read(value);
  } catch (error) {
    throw new InvalidInputError(flag, value, errorMessage(error));
  }
}

/** One of the values that are known. @throws InvalidInputError that lists them */
export function flagChoice<const T extends string>(flag: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value);
  if (found === undefined) throw new InvalidInputError(flag, value, `must be one of ${known.join(', ')}`);
  return found;
}

/** A number, `least` and `most` included. @throws InvalidInputError */
export function flagNumber(flag: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (value.trim() === '' || !(number >= least && number <= most))
    throw new InvalidInputError(flag, value, `must be from ${least} to ${most}`);
  return number;
}

/** Text of a form. @param what it is then, for the message: `a DNS name` @throws InvalidInputError */
export function flagText(flag: string, value: string, form: RegExp, what: string): string {
  if (!form.test(value)) throw new InvalidInputError(flag, value, `is not ${what}`);
  return value;
}

/** What stands between commas; nothing in ''. */
export function flagWords(value: string): readonly string[] {
  return value.split(',').filter((word) => word !== '');
}

/** A time as Kubernetes' flags have it, `90s`, `15m`, `1h30m`: seconds. @throws InvalidInputError */
export function flagSeconds(flag: string, value: string): number {
  const found = /^(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?$/.exec(value);
  if (found === null || value === '')
    throw new InvalidInputError(flag, value, 'must be a time, as 30s, 15m or 1h30m');
  const [, hours = 0, minutes = 0, seconds = 0] = found;
  return (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
}
