/* terminal.c - runs a program on a terminal of its own and talks to it.
 *
 *   terminal PROGRAM [arguments] < steps
 *
 * Each line of the steps is one of
 *   > text    types the text; \r \n \t \e \\ and \x03 are what they are in C
 *   < text    waits until the text has been shown, behind what was waited for
 *             before; escape sequences of the terminal do not count
 *   . number  waits so many milliseconds
 *   ! number  the program must answer the next wait within so many
 *             milliseconds
 * At the end it waits for the program to end, some time, and prints all that
 * was shown. The exit status is that of the program; 99 where a wait was in
 * vain.
 * What is typed before the program reads it may be lost, as on any terminal. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 20, IN_VAIN = 99, PATIENCE = 20000 /* milliseconds */ };

static char shown[ROOM]; /* without escape sequences */
static size_t length, waited_for;
static int terminal;
static enum { PLAIN, ESCAPE, SEQUENCE } reading;

/* Leaves out ESC [ ... letter, and ESC with one byte. */
static void add_byte(char c) {
  if (reading == PLAIN && c == '\033') {
    reading = ESCAPE;
  } else if (reading == ESCAPE) {
    reading = c == '[' ? SEQUENCE : PLAIN;
  } else if (reading == SEQUENCE) {
    if (c >= '@' && c <= '~') reading = PLAIN;
  } else if (c != '\r' && c != '\a' && length < ROOM - 1) {
    shown[length++] = c;
  }
}

/* false: the program has gone, or showed nothing in time. */
static bool read_more(int milliseconds) {
  struct pollfd p = { .fd = terminal, .events = POLLIN };
  char bytes[4096];
  if (poll(&p, 1, milliseconds) <= 0) return false;
  const ssize_t n = read(terminal, bytes, sizeof bytes);
  for (ssize_t i = 0; i < n; i++) add_byte(bytes[i]);
  shown[length] = 0;
  return n > 0;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void wait_for(const char *text, int patience) {
  const double start = now();
  for (;;) {
    const char *found = strstr(shown + waited_for, text);
    if (found) {
      waited_for = (size_t)(found - shown) + strlen(text);
      return;
    }
    const double left = patience - (now() - start);
    if (left <= 0 || !read_more((int)left)) {
      printf("%s\n** waited in vain for: %s\n", shown, text);
      exit(IN_VAIN);
    }
  }
}

static void read_for(int milliseconds) {
  const double end = now() + milliseconds;
  while (now() < end && read_more((int)(end - now()) + 1)) {}
}

static char escaped(const char **c) {
  char hex[3] = { 0 };
  switch (*++*c) {
  case 'r': return '\r';
  case 'n': return '\n';
  case 't': return '\t';
  case 'e': return '\033';
  case 'x':
    memcpy(hex, *c + 1, 2);
    *c += 2;
    return (char)strtol(hex, NULL, 16);
  default: return **c;
  }
}

static void type(const char *text) {
  for (const char *c = text; *c; c++) {
    const char byte = *c == '\\' ? escaped(&c) : *c;
    if (write(terminal, &byte, 1) < 0) return;
  }
}

static void do_steps(void) {
  char line[4096];
  int patience = PATIENCE;
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] == '>') type(line + 2);
    if (line[0] == '.') read_for(atoi(line + 2));
    if (line[0] == '!') patience = atoi(line + 2);
    if (line[0] == '<') {
      wait_for(line + 2, patience);
      patience = PATIENCE;
    }
  }
}

int main(int argc, char **argv) {
  struct winsize size = { .ws_row = 30, .ws_col = 80 };
  if (argc < 2) return 2;
  const pid_t child = forkpty(&terminal, NULL, NULL, &size);
  if (child == 0) {
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  do_steps();
  while (read_more(PATIENCE)) {}
  kill(child, SIGKILL); /* unless it has ended */
  int status;
  waitpid(child, &status, 0);
  fputs(shown, stdout);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
