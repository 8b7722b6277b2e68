/*
 * Podway's CNI plugin: hands each request to the node's agent over its unix socket (see frame.ts).
 * VERSION is answered here. With the agent away, DEL succeeds (the agent releases what it finds gone when it is back)
 * and everything else is error 11, "try again later".
 *
 * cc -Os -static -o podway-cni podway-cni.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Filled in when the file is installed: the mark's place, 128 bytes, holds the path of the agent's socket. */
static volatile char socket_path[128] = "@podway-agent-socket@";

/* Of standard input, and of the answer; the agent refuses more of the one and never says more in the other. */
enum { MAX_BYTES = 1 << 20, TRIES = 20 };

static char input[MAX_BYTES + 2];
static char answer[MAX_BYTES + 2];

/* Reads to the end, or to one byte more than allowed. Negative: failed. */
static long read_all(int fd, char *into) {
  long size = 0;
  while (size <= MAX_BYTES) {
    ssize_t got = read(fd, into + size, MAX_BYTES + 1 - size);
    if (got == 0) return size;
    if (got < 0 && errno != EINTR) return -1;
    if (got > 0) size += got;
  }
  return size;
}

static int write_all(int fd, const char *from, size_t size) {
  while (size > 0) {
    ssize_t put = send(fd, from, size, MSG_NOSIGNAL);
    if (put < 0 && errno == ENOTSOCK) put = write(fd, from, size);
    if (put < 0 && errno != EINTR) return -1;
    if (put > 0) from += put, size -= put;
  }
  return 0;
}

/* The configuration's cniVersion, for what is answered here; the newest when it has none that looks like one. */
static const char *cni_version(void) {
  static char version[17];
  const char *at = strstr(input, "\"cniVersion\"");
  if (at) at = strchr(at + 12, ':');
  if (at) at = strchr(at, '"');
  size_t length = at ? strspn(at + 1, "0123456789.") : 0;
  if (length == 0 || length >= sizeof version || at[1 + length] != '"') return "1.1.0";
  memcpy(version, at + 1, length);
  return version;
}

/* A restarting agent is back within a second or two; nothing is sent before it listens. */
static int connect_agent(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  for (size_t i = 0; i + 1 < sizeof address.sun_path && socket_path[i]; i++) address.sun_path[i] = socket_path[i];
  for (int try = 0; try < TRIES; try++) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
  }
  return -1;
}

static int send_request(int fd, long size) {
  static const char *const names[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"};
  int failed = write_all(fd, "podway-cni 1\n", 13);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    if (!value) continue;
    failed |= write_all(fd, names[i], strlen(names[i])) | write_all(fd, "=", 1) | write_all(fd, value, strlen(value) + 1);
  }
  return failed | write_all(fd, "", 1) | write_all(fd, input, size) | shutdown(fd, SHUT_WR);
}

int main(void) {
  const char *command = getenv("CNI_COMMAND");
  long size = read_all(STDIN_FILENO, input);
  if (size < 0) size = 0;
  if (command && strcmp(command, "VERSION") == 0) {
    printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n", cni_version());
    return 0;
  }
  int fd = connect_agent();
  if (fd >= 0) {
    /* The agent may answer, and close, before it has read everything. */
    send_request(fd, size);
    long got = read_all(fd, answer);
    if (got > 0 && (answer[0] == '0' || answer[0] == '1')) {
      if (got > 1) {
        answer[got] = '\n';
        write_all(STDOUT_FILENO, answer + 1, got);
      }
      return answer[0] - '0';
    }
  }
  if (command && strcmp(command, "DEL") == 0) return 0;
  printf("{\"cniVersion\":\"%s\",\"code\":11,\"msg\":\"the Podway agent of this node does not answer\","
         "\"details\":\"is it running? its socket is %s\"}\n", cni_version(), (const char *)socket_path);
  return 1;
}
