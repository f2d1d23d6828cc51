/* checking.c - how checks report, and the list of their groups. */
#include "check/checking.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_REPORTED = 64 };
static char reported[MOST_REPORTED][40];
static int n_reported;

bool ln_reported(const char *check) {
  for (int i = 0; i < n_reported; i++)
    if (!strcmp(reported[i], check)) return true;
  return false;
}

void ln_send(const ln_checking *c, const ln_finding *f) {
  if (write(c->pipe, f, sizeof *f) != (ssize_t)sizeof *f) _Exit(2);
  if (n_reported < MOST_REPORTED)
    memcpy(reported[n_reported++], f->check, sizeof f->check);
}

/* What a library that the plugin wraps may do on its own account. */
static bool is_of_libraries(const char *check) {
  static const char *const checks[] = { "load.quiet", "memory.allocates",
                                        "memory.heap", "threads.static",
                                        "behaviour.environment" };
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (!strcmp(check, checks[i])) return true;
  return false;
}

static ln_finding begin(const ln_checking *c, int severity, const char *check) {
  if (severity == LN_FAULT && c->wraps && is_of_libraries(check))
    severity = LN_REMARK;
  ln_finding f = { .severity = severity };
  snprintf(f.group, sizeof f.group, "%s", c->group);
  snprintf(f.check, sizeof f.check, "%s", check);
  snprintf(f.layer, sizeof f.layer, "%s", c->word ? c->word : "");
  snprintf(f.where, sizeof f.where, "%s", c->where);
  return f;
}

void ln_report(ln_checking *c, const char *check, const char *what, ...) {
  ln_finding f = begin(c, LN_FAULT, check);
  va_list a;
  va_start(a, what);
  vsnprintf(f.what, sizeof f.what, what, a);
  va_end(a);
  if (!ln_reported(check)) ln_send(c, &f);
}

void ln_remark(ln_checking *c, const char *check, const char *what, ...) {
  ln_finding f = begin(c, LN_REMARK, check);
  va_list a;
  va_start(a, what);
  vsnprintf(f.what, sizeof f.what, what, a);
  va_end(a);
  if (!ln_reported(check)) ln_send(c, &f);
}

void ln_report_values(ln_checking *c, const char *check, double expected,
                      double got, const char *what, ...) {
  ln_finding f = begin(c, LN_FAULT, check);
  va_list a;
  va_start(a, what);
  vsnprintf(f.what, sizeof f.what, what, a);
  va_end(a);
  snprintf(f.expected, sizeof f.expected, "%.7g", expected);
  snprintf(f.got, sizeof f.got, "%.7g", got);
  if (!ln_reported(check)) ln_send(c, &f);
}

static const ln_group groups[] = {
  { "load", 1, true, ln_group_load },
  { "descriptor", 1, false, ln_group_descriptor },
  { "options", 2, false, ln_group_options },
  { "shapes", 2, false, ln_group_shapes },
  { "memory", 2, false, ln_group_memory },
  { "numbers", 3, false, ln_group_numbers },
  { "methods", 3, false, ln_group_methods },
  { "promises", 3, false, ln_group_promises },
  { "threads", 3, false, ln_group_threads },
  { "behaviour", 2, false, ln_group_behaviour },
  { "cost", 3, false, ln_group_cost },
  { "session", 3, false, ln_group_session },
};

const ln_group *ln_group_row(int index) {
  const int n = (int)(sizeof groups / sizeof *groups);
  return index >= 0 && index < n ? &groups[index] : NULL;
}
