/* watch.c - handlers of signals that report what a callback did.
 *
 * The handlers call functions that a handler should not in general: they run
 * when a callback has gone wrong, never in the midst of the host's own work,
 * and the process ends behind them. */
#include "check/watch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/pieces.h"

static ln_checking *checking;

enum { PROCESSOR_SECONDS = 2, SECONDS = 15 };

static double armed; /* when, in seconds */

/* Setting two timers takes longer than most calls, so calls that follow within
 * a tenth of a second share them. */
static void arm(void) {
  const struct itimerval p = { .it_value = { PROCESSOR_SECONDS, 0 } };
  const struct itimerval w = { .it_value = { SECONDS, 0 } };
  const double now = ln_seconds();
  if (armed && now - armed < 0.1) return;
  armed = now;
  setitimer(ITIMER_PROF, &p, NULL);
  setitimer(ITIMER_REAL, &w, NULL);
}

void ln_watch_enter(const char *callback) {
  snprintf(checking->call, sizeof checking->call, "%s", callback);
  arm();
}

void ln_watch_leave(void) {
  checking->call[0] = 0;
}

/* ---- what an address means ---- */

#if defined(__aarch64__)
/* Does this instruction store? The classes are those of the Arm Architecture
 * Reference Manual, C4.1, "Loads and stores". */
static bool is_store(uint32_t code) {
  const uint32_t kind = code >> 22 & 3; /* its low bit: a load */
  const bool of_vectors = code >> 26 & 1;
  if ((code & 0x0A000000) != 0x08000000) return false; /* of another class */
  if ((code & 0x3B000000) == 0x18000000) return false; /* a constant's load */
  if ((code & 0x3B200C00) == 0x38200000) return true;  /* an atomic change */
  if ((code & 0x3A000000) == 0x38000000)               /* a single register */
    return kind == 0 || (of_vectors && kind == 2);
  return !(kind & 1);
}
#endif

static bool was_write(const void *context) {
#if defined(__x86_64__)
  return (((const ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2) != 0;
#elif defined(__aarch64__)
  const ucontext_t *c = context;
  return is_store(*(const uint32_t *)c->uc_mcontext.pc);
#else
  (void)context;
  return false;
#endif
}

/* "one past the end of x", "x[17], beyond its 12 elements". */
static void place_of(const ln_piece *p, const char *at, char *out,
                     size_t room) {
  const int64_t unit = p->floats ? 4 : 1;
  const char *what = p->floats ? "element" : "byte";
  const int64_t offset = at - p->data, count = p->bytes / unit;
  if (offset >= p->bytes && offset < p->bytes + unit)
    snprintf(out, room, "one past the end of %s, which has %" PRId64 " %ss",
             p->name, count, what);
  else if (offset >= p->bytes)
    snprintf(out, room, "%s at %s %" PRId64 " (from 0), of %" PRId64, p->name,
             what, offset / unit, count);
  else if (offset >= -unit && offset < 0)
    snprintf(out, room, "one before the beginning of %s", p->name);
  else if (offset < 0)
    snprintf(out, room, "%s at %s %" PRId64 ", before its beginning", p->name,
             what, offset / unit);
  else
    snprintf(out, room, "%s at %s %" PRId64 " (from 0)", p->name, what,
             offset / unit);
}

static bool is_outside(const ln_piece *p, const char *at) {
  return at < p->data || at >= p->data + p->bytes;
}

static void report_piece(const ln_piece *p, const char *at, bool write) {
  char place[200];
  const char *call = checking->call;
  place_of(p, at, place, sizeof place);
  const char *does = write ? "writes" : "reads";
  if (!strcmp(p->name, "the table of services"))
    ln_report(checking, "session.small_host",
              "%s: %s behind the table of services of host 1.0", call, does);
  else if (p->state == LN_PIECE_RETIRED)
    ln_report(checking, "memory.kept", "%s: %s %s, of a call that has returned",
              call, does, place);
  else if (is_outside(p, at))
    ln_report(checking, "memory.bounds", "%s: %s %s", call, does, place);
  else if (p->state == LN_PIECE_WITHHELD)
    ln_report(checking, "promises.forgets",
              "%s: %s %s, though it promises not to", call, does, place);
  else
    ln_report(checking, "memory.inputs", "%s: %s %s, which is only to be read",
              call, does, place);
}

/* ---- the handlers ---- */

static void on_fault(int number, siginfo_t *info, void *context) {
  const ln_piece *p = ln_piece_at(info->si_addr);
  const char *call = checking->call[0] ? checking->call : "between two calls";
  if (number == SIGSEGV && info->si_code == SI_KERNEL)
    ln_report(checking, "memory.aligned",
              "%s: reads or writes a tensor that does not begin at a multiple "
              "of 16 or 32 bytes as if it did",
              call);
  else if ((number == SIGSEGV || number == SIGBUS) && p)
    report_piece(p, info->si_addr, was_write(context));
  else if (number == SIGSEGV && !strcmp(call, "create without memory"))
    ln_report(checking, "memory.refused",
              "%s: uses the memory that host->alloc refused", call);
  else if (number == SIGABRT)
    ln_report(checking, "behaviour.exit", "%s: abort", call);
  else
    ln_report(checking, "behaviour.crash", "%s: %s at the address %p", call,
              strsignal(number), info->si_addr);
  _Exit(0);
}

static void on_time(int number) {
  if (!checking->call[0]) return; /* the check itself computes */
  if (number == SIGALRM && ln_seconds() - armed > SECONDS + 1) {
    armed = 0; /* the whole process stood still, by Ctrl-Z perhaps */
    arm();
    return;
  }
  ln_report(checking, "behaviour.hang", "%s: has not returned after %d s%s",
            checking->call, number == SIGPROF ? PROCESSOR_SECONDS : SECONDS,
            number == SIGPROF ? " of computing" : "");
  _Exit(0);
}

void ln_watch_start(ln_checking *c) {
  static char stack[1 << 16];
  const stack_t other = { .ss_sp = stack, .ss_size = sizeof stack };
  struct sigaction fault = { .sa_sigaction = on_fault,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK };
  struct sigaction time = { .sa_handler = on_time, .sa_flags = SA_ONSTACK };
  static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
  checking = c;
  sigaltstack(&other, NULL);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigaction(faults[i], &fault, NULL);
  sigaction(SIGPROF, &time, NULL);
  sigaction(SIGALRM, &time, NULL);
}
