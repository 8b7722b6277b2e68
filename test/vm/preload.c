/*
 * Preloaded into the virtual machine's kernel (arch/um), in place of calls of the C library. That kernel runs the machine's processes one at a
 * time, as children that it traces.
 *
 * The machine's time passes as it computes, by processor time, and what it would sleep is skipped. So a busy host makes nothing late in there, and
 * waiting costs nothing. There is nothing that it could sleep for but its own timers: it has one processor, no network, and its disk is
 * asked synchronously.
 *
 * The machine's processes end with it, however it ends: left alone, they would go on as processes of the host, by calls to its kernel.
 */
typedef long long ns;
struct timespec {
  long seconds, nanoseconds;
};
struct itimerspec {
  struct timespec interval, value;
};

/* The C library's; numbers are those of x86_64. */
extern long syscall(long number, ...);
extern int *__errno_location(void);
enum { POLL = 7, WAIT4 = 61, PTRACE = 101, SIGSUSPEND = 130, PRCTL = 157, TIMER_CREATE = 222, TIMER_SETTIME, TIMER_GETTIME, CLOCK_GETTIME = 228 };
enum { CLOCK_MONOTONIC = 1, CLOCK_PROCESS_CPU = 2 };
enum { SIGNAL_SET_BYTES = 8 };
/* Nanoseconds. */
enum { HEARTBEAT = 100000000 };
/* prctl(2), ptrace(2) */
enum { SET_PARENT_DEATH_SIGNAL = 1, SIGKILL = 9 };
enum { PEEK_TEXT = 1, PEEK_USER = 3, OLD_SET_OPTIONS = 21, SET_OPTIONS = 0x4200, OPTION_EXIT_KILL = 0x100000 };
/* wait(2): the lower byte of the status of a process that goes on later. */
enum { STOPPED = 0x7f };

/* Of the children, by process id: the processor time that has been counted. Linux has no larger ids (PID_MAX_LIMIT). */
static ns counted[1 << 22];
/* The child that runs now; 0: none. */
static volatile int running;
/* Of all children; and what the machine did not sleep. */
static ns children, skipped;
/* What was read last. */
static ns latest;
/* The machine has one, and another one of ours. */
static int timer = -1, heartbeat = -1;

static ns to_ns(struct timespec time) {
  return time.seconds * 1000000000LL + time.nanoseconds;
}

/* 0 for a process that is gone. */
static ns read_clock(int clock) {
  struct timespec time = {0, 0};
  syscall(CLOCK_GETTIME, clock, &time);
  return to_ns(time);
}

/* What a child has computed since it was counted last. CPUCLOCK_SCHED, include/linux/posix-timers.h */
static ns uncounted(int pid) {
  ns more = read_clock(~pid << 3 | 2) - counted[pid];
  return more > 0 ? more : 0;
}

int clock_gettime(int clock, struct timespec *time) {
  if (clock != CLOCK_MONOTONIC) return syscall(CLOCK_GETTIME, clock, time);
  int pid = running;
  ns now = read_clock(CLOCK_PROCESS_CPU) + children + skipped + (pid ? uncounted(pid) : 0);
  /* What a child computed while it ended is lost, and a signal's handler may read between two lines of waitpid: time waits then. */
  if (now < latest) now = latest;
  latest = now;
  time->seconds = now / 1000000000;
  time->nanoseconds = now % 1000000000;
  return 0;
}

int waitpid(int pid, int *status, int options) {
  if (pid <= 0) return syscall(WAIT4, pid, status, options, 0);
  running = pid;
  int found = syscall(WAIT4, pid, status, options, 0);
  ns more = uncounted(pid);
  running = 0;
  children += more;
  counted[pid] += more;
  /* The number of one that has ended is another's some day. */
  if (found == pid && !(status && (*status & 0xff) == STOPPED)) counted[pid] = 0;
  return found;
}

int timer_create(int clock, void *event, void **created) {
  int failed = syscall(TIMER_CREATE, clock, event, &timer);
  if (!failed) syscall(TIMER_CREATE, clock, event, &heartbeat);
  *created = (void *)(long)timer;
  return failed;
}

int timer_settime(void *id, int flags, struct itimerspec *next, struct itimerspec *before) {
  /*
   * The kernel sets its timer for one time, and would wait for ever if that signal were lost: unblock_signals in arch/um/os-Linux/signal.c
   * drops one that comes while another is handled. The heartbeat makes it look again, and set a time anew that is not over yet.
   */
  if (heartbeat >= 0 && to_ns(next->value) > 0) {
    struct itimerspec every = {{0, HEARTBEAT}, {0, HEARTBEAT}};
    syscall(TIMER_SETTIME, heartbeat, 0, &every, 0);
    heartbeat = -1;
  }
  return syscall(TIMER_SETTIME, (int)(long)id, flags, next, before);
}

int timer_gettime(void *id, struct itimerspec *left) {
  return syscall(TIMER_GETTIME, (int)(long)id, left);
}

/* Called to sleep until the timer ends, or another signal. */
int sigsuspend(void *signals) {
  struct itimerspec left = {{0, 0}, {0, 0}};
  if (timer >= 0) syscall(TIMER_GETTIME, timer, &left);
  if (to_ns(left.value) > 0) {
    skipped += to_ns(left.value);
    left.value = (struct timespec){0, 1};
    syscall(TIMER_SETTIME, timer, 0, &left, 0);
  }
  return syscall(SIGSUSPEND, signals, SIGNAL_SET_BYTES);
}

/* Traced processes end with who traces them. */
long ptrace(long request, long pid, void *address, void *data) {
  long word;
  if (request < PEEK_TEXT || request > PEEK_USER) {
    if (request == SET_OPTIONS || request == OLD_SET_OPTIONS) data = (void *)((long)data | OPTION_EXIT_KILL);
    return syscall(PTRACE, request, pid, address, data);
  }
  if (syscall(PTRACE, request, pid, address, &word) < 0) return -1;
  *__errno_location() = 0;
  return word;
}

/* Called by what waits for files, threads of the kernel that are processes of the host. */
int poll(void *files, unsigned long count, int milliseconds) {
  syscall(PRCTL, SET_PARENT_DEATH_SIGNAL, SIGKILL);
  return syscall(POLL, files, count, milliseconds);
}
