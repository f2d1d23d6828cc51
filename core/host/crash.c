/* crash.c - names the layer whose code crashes, before the signal goes its way.
 *
 * The handler is gone when the signal comes again: an invalid access happens
 * again when the handler returns, and what was sent is sent again. So a
 * debugger, a sanitizer and the shell see what they would have seen. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/activity.h"

static const struct {
  int number;
  const char *text;
} signals[] = {
  { SIGSEGV, "an invalid access to memory" },
  { SIGBUS, "an invalid access to memory" },
  { SIGILL, "an instruction that this machine does not have" },
  { SIGFPE, "a division by zero of whole numbers" },
  { SIGABRT, "a call of abort" },
};
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[SIGNALS];

static void write_text(const char *text, size_t length) {
  while (length > 0) {
    ssize_t n = write(STDERR_FILENO, text, length);
    if (n <= 0) return;
    text += n;
    length -= (size_t)n;
  }
}

static void write_line(const char *text) {
  size_t n = 0;
  while (text[n]) n++;
  write_text(text, n);
}

static void tell(int k, const void *address) {
  static char text[4000];
  const ln_activity *a = ln_stations[ln_thread_slot()].now;
  if (!a || !pthread_equal(a->thread, pthread_self())) return;
  write_line("\nlunet: ");
  write_line(signals[k].text);
  write_line(", ");
  write_text(text, ln_activity_text(a, address, text, sizeof text));
}

static void on_crash(int number, siginfo_t *info, void *context) {
  (void)context;
  int k = 0;
  while (signals[k].number != number) k++;
  for (int i = 0; i < SIGNALS; i++)
    sigaction(signals[i].number, &before[i], NULL);
  bool of_memory = number == SIGSEGV || number == SIGBUS;
  tell(k, of_memory && info->si_code > 0 ? info->si_addr : NULL);
  if (info->si_code <= 0) raise(number);
}

/* A stack of its own, for the handler of a full one. */
static void add_stack(void) {
  static char stack[1 << 16];
  stack_t other = { .ss_sp = stack, .ss_size = sizeof stack };
  stack_t there;
  if (!sigaltstack(NULL, &there) && (there.ss_flags & SS_DISABLE))
    sigaltstack(&other, NULL);
}

void ln_report_crashes(void) {
  struct sigaction action = { .sa_sigaction = on_crash,
                              .sa_flags = SA_SIGINFO | SA_ONSTACK };
  add_stack();
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < SIGNALS; i++)
    sigaction(signals[i].number, &action, &before[i]);
}
