import { PodwayError } from '#runtime';

/** The fake kernel was asked for something it does not model: a fault of the test, never of the code under test. */
export class FakeLimitError extends PodwayError {
  readonly code = 'FakeLimit';
}
