import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PodSpec } from '#kube-api';
import { FakeClock } from '#runtime';
import { ContainerLife } from './container-life.ts';
import type { ContainerView } from './pod-view.ts';

const CONTAINER = { name: 'web', image: 'nginx' };
const STARTED = '1970-01-01T00:00:00Z';

function given(spec: Partial<PodSpec> = {}, kind: ContainerView['kind'] = 'app') {
  const clock = new FakeClock();
  const pod = {
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: { containers: [CONTAINER], ...spec },
  };
  const life = new ContainerLife(CONTAINER, kind, pod, clock);
  const run = (exitCode: number, ms = 100) => {
    life.beginRun(`podway://${life.attempt + 1}`);
    life.running(STARTED);
    clock.advance(ms);
    life.ended({ exitCode });
  };
  return { clock, life, run };
}

const reasonOf = ({ state }: ContainerView) => state.waiting?.reason;

describe('ContainerLife: before the first run', () => {
  test('waits for the container, or for init containers', () => {
    assert.equal(reasonOf(given().life.view()), 'ContainerCreating');
    assert.equal(reasonOf(given({ initContainers: [{ name: 'first' }] }).life.view()), 'PodInitializing');
    assert.deepEqual([given().life.attempt, given().life.startInMs()], [-1, 0]);
  });

  test('without configuration it is tried again after seconds, and that is no restart', () => {
    const { life, clock } = given();
    life.waitForConfig('CreateContainerConfigError', 'configmap "x" not found');
    assert.equal(life.startInMs(), 5_000);
    clock.advance(5_000);
    assert.equal(life.startInMs(), 0);
    life.beginRun('podway://0');
    life.running(STARTED);
    assert.equal(life.view().restartCount, 0);
  });

  test('a program that does not begin has ended with 128, and is started again as one that crashed', () => {
    const { life } = given();
    life.beginRun('podway://0');
    life.startError('no such file');
    const { terminated } = life.view().state;
    assert.deepEqual(
      [terminated?.exitCode, terminated?.reason, terminated?.message, terminated?.containerID],
      [128, 'StartError', 'no such file', 'podway://0'],
    );
    assert.equal(life.isOver, false);
  });
});

describe('ContainerLife: a run', () => {
  test('is started once its startup probe has passed, ready when its probes say so, and neither when it has ended', () => {
    const { life } = given();
    life.beginRun('podway://0');
    assert.equal(life.started, false);
    life.running(STARTED);
    assert.equal(life.started, false);
    life.startupPassed();
    life.setReady(true);
    const { started, ready, state, containerId } = life.view();
    assert.deepEqual(
      [started, ready, state, containerId],
      [true, true, { running: { startedAt: STARTED } }, 'podway://0'],
    );
    life.ended({ exitCode: 1 });
    assert.deepEqual([life.view().started, life.view().ready], [false, false]);
  });

  test('an init container is ready when it has succeeded', () => {
    const { life, run } = given({}, 'init');
    run(0);
    assert.deepEqual([life.succeeded, life.isOver, life.view().ready], [true, true, true]);
  });
});

describe('ContainerLife: who is started again', () => {
  const cases: readonly (readonly [ContainerView['kind'], string, number, boolean])[] = [
    ['app', 'Always', 0, true],
    ['app', 'Always', 1, true],
    ['app', 'OnFailure', 0, false],
    ['app', 'OnFailure', 1, true],
    ['app', 'Never', 1, false],
    ['init', 'Always', 0, false],
    ['init', 'Always', 1, true],
    ['init', 'OnFailure', 1, true],
    ['init', 'Never', 1, false],
    ['sidecar', 'Never', 0, true],
  ];
  for (const [kind, restartPolicy, exitCode, again] of cases)
    test(`${kind}, ${restartPolicy}, exit code ${exitCode}: ${again ? 'again' : 'not again'}`, () => {
      const { life, run } = given({ restartPolicy }, kind);
      run(exitCode);
      assert.equal(life.isOver, !again);
    });

  test('nobody, once it is to stop', () => {
    const { life, run } = given();
    run(1);
    run(1);
    life.stop();
    assert.equal(life.isOver, true);
    assert.deepEqual(life.view().state, { terminated: { exitCode: 1 } });
  });
});

describe('ContainerLife: restarts', () => {
  test('the first at once, the second after 10 s, and meanwhile it is in CrashLoopBackOff', () => {
    const { life, run, clock } = given();
    run(1);
    assert.deepEqual([life.startInMs(), life.isBackingOff], [0, false]);
    run(2);
    assert.deepEqual([life.startInMs(), life.isBackingOff], [10_000, true]);
    const { state, lastState, restartCount } = life.view();
    assert.deepEqual(state.waiting, {
      reason: 'CrashLoopBackOff',
      message: 'back-off 10s restarting failed container=web pod=p_n(u)',
    });
    assert.deepEqual([lastState, restartCount], [{ terminated: { exitCode: 2 } }, 1]);
    clock.advance(10_000);
    assert.deepEqual([life.startInMs(), life.isBackingOff], [0, false]);
  });

  test('a restart that has to wait for configuration counts once, when it begins, and its last end is known', () => {
    const { life, run, clock } = given();
    run(7);
    life.waitForConfig('CreateContainerConfigError', 'secret "x" not found');
    assert.deepEqual([life.view().restartCount, life.view().lastState], [0, { terminated: { exitCode: 7 } }]);
    clock.advance(5_000);
    run(7);
    assert.equal(life.view().restartCount, 1);
  });

  test('the same for an image that is gone', () => {
    const { life, run } = given();
    run(7);
    life.wait({ reason: 'ErrImagePull' });
    assert.ok(life.isWaitingFor('ErrImagePull'));
    assert.deepEqual(life.view().lastState, { terminated: { exitCode: 7 } });
    assert.equal(life.startInMs(), 0);
  });
});
