/*
 * Podway's CNI plugin: hands each request to the node's agent over its unix socket (see frame.ts).
 * VERSION is answered here. When the agent is away or does not answer, DEL succeeds (the agent releases what it finds
 * gone when it is back) and everything else is error 11, "try again later".
 *
 * cc -Os -static -nostdlib -ffreestanding -fno-stack-protector -o podway-cni podway-cni.c
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "system.h"

/*
 * Filled in when the file is installed: the mark's place, 128 bytes, holds the path of the agent's socket and, after
 * its NUL, how many seconds the agent has for an answer.
 */
static volatile char settings[128] = "@podway-agent-socket@";

/* Of standard input, and of the answer; the agent refuses more of the one and never says more in the other. */
enum { MAX_BYTES = 1 << 20, TRIES = 20 };

/* One more than allowed, and a NUL or a line's end. */
static char input[MAX_BYTES + 2];
static char answer[MAX_BYTES + 2];

/* Reads to the end, or to one byte more than allowed. Negative: failed. */
static long read_all(int fd, char *into) {
  long size = 0;
  while (size <= MAX_BYTES) {
    long got = sys_read(fd, into + size, MAX_BYTES + 1 - size);
    if (got == 0) return size;
    if (got < 0 && got != -EINTR) return -1;
    if (got > 0) size += got;
  }
  return size;
}

static void print_bytes(const char *from, long size) {
  while (size > 0) {
    long put = sys_write(1, from, size);
    if (put < 0 && put != -EINTR) return;
    if (put > 0) from += put, size -= put;
  }
}

static void print(const char *text) {
  print_bytes(text, text_length(text));
}

/* All parts in one message as far as the socket takes them: each message wakes the agent once. */
static void send_parts(int fd, struct iovec *parts, unsigned count) {
  while (count > 0) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    long put = sys_sendmsg(fd, &message, MSG_NOSIGNAL);
    if (put < 0 && put != -EINTR) return;
    for (; put > 0 && count > 0 && put >= (long)parts->iov_len; parts++, count--) put -= parts->iov_len;
    if (put > 0) parts->iov_base = (char *)parts->iov_base + put, parts->iov_len -= put;
  }
}

/* The configuration's cniVersion, for what is answered here; the newest when it has none that looks like one. */
static const char *cni_version(void) {
  static char version[17];
  const char *at = text_find(input, "\"cniVersion\"");
  if (at) at = text_find(at + 12, ":");
  if (at) at = text_find(at, "\"");
  long length = 0;
  if (at)
    while (length < (long)sizeof version && ((at[1 + length] >= '0' && at[1 + length] <= '9') || at[1 + length] == '.'))
      length++;
  if (length == 0 || length >= (long)sizeof version || at[1 + length] != '"') return "1.1.0";
  for (long i = 0; i < length; i++) version[i] = at[1 + i];
  return version;
}

/* How long the agent may take for each step: to take the connection, the request, and to answer. */
static void limit_time(int fd) {
  long at = 0, seconds = 0;
  while (settings[at]) at++;
  for (at++; settings[at]; at++) seconds = seconds * 10 + settings[at] - '0';
  struct timeval limit = {.tv_sec = seconds};
  sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

/* A restarting agent is back within a second or two; nothing is sent before it listens. */
static int connect_agent(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  for (unsigned i = 0; i + 1 < sizeof address.sun_path && settings[i]; i++) address.sun_path[i] = settings[i];
  for (int try = 0; try < TRIES; try++) {
    int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    limit_time(fd);
    long failure = sys_connect(fd, &address, sizeof address);
    if (failure == 0) return fd;
    sys_close(fd);
    /* Somebody listens, but takes no connections. */
    if (failure == -EAGAIN) return -1;
    sys_nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000});
  }
  return -1;
}

/* The agent may answer, and close, before it has read everything: failures show when there is no answer. */
static void send_request(int fd, char **environment, long size) {
  static const char *const names[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"};
  struct iovec parts[3 + sizeof names / sizeof *names] = {{(char *)"podway-cni 1\n", 13}};
  unsigned count = 1;
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    const char *entry = find_variable(environment, names[i]);
    if (entry) parts[count++] = (struct iovec){(char *)entry, text_length(entry) + 1};
  }
  parts[count++] = (struct iovec){(char *)"", 1};
  if (size > 0) parts[count++] = (struct iovec){input, size};
  send_parts(fd, parts, count);
  sys_shutdown(fd, SHUT_WR);
}

int client(char **environment) {
  const char *command = find_variable(environment, "CNI_COMMAND");
  command = command ? command + 12 : "";
  long size = read_all(0, input);
  if (size < 0) size = 0;
  if (text_equal(command, "VERSION")) {
    print("{\"cniVersion\":\"");
    print(cni_version());
    print("\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
    return 0;
  }
  int fd = connect_agent();
  if (fd >= 0) {
    send_request(fd, environment, size);
    long got = read_all(fd, answer);
    if (got > 0 && (answer[0] == '0' || answer[0] == '1')) {
      if (got > 1) {
        answer[got] = '\n';
        print_bytes(answer + 1, got);
      }
      return answer[0] - '0';
    }
  }
  if (text_equal(command, "DEL")) return 0;
  print("{\"cniVersion\":\"");
  print(cni_version());
  print("\",\"code\":11,\"msg\":\"the Podway agent of this node does not answer\","
        "\"details\":\"is it running? its socket is ");
  print((const char *)settings);
  print("\"}\n");
  return 1;
}
