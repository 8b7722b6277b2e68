export { type Clock, FakeClock, sleep, systemClock } from './clock.ts';
export { errnoName, errnoNumber } from './errno.ts';
export { errorMessage, hasErrorCode, InvalidInputError, PodwayError } from './errors.ts';
export { eventually } from './eventually.ts';
export { flagChoice, flagNumber, flagSeconds, flagText, flagValue, flagWords } from './flag-values.ts';
export { formatYaml } from './format-yaml.ts';
export { freePort } from './free-port.ts';
export { libcCalls } from './libc.ts';
export {
  createLogger,
  LOG_LEVELS,
  type LogFields,
  type Logger,
  type LogLevel,
  type LogRecord,
  silentLogger,
  streamLogger,
} from './logger.ts';
export { otherWork } from './other-work.ts';
export { parseYaml } from './parse-yaml.ts';
export { type Random, seededRandom, systemRandom } from './random.ts';
export { readFlags } from './read-flags.ts';
export { Reconciler, type ReconcilerOptions } from './reconciler.ts';
export { type RetryDelays, retryDelay } from './retry-delay.ts';
export { randomUuid } from './uuid.ts';
export { writeFileAtomically } from './write-file.ts';
