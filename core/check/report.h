/* report.h - findings on paper: as text, as JSON, as JUnit's XML. */
#ifndef LUNET_CHECK_REPORT_H
#define LUNET_CHECK_REPORT_H

#include "check/runner.h"

/* A plugin, or a layer of it, that has been checked. */
typedef struct ln_checked {
  char target[256]; /* as the user named it */
  uint64_t seed;
  int level;
  double seconds;
  ln_findings found;
} ln_checked;

void ln_report_text(const ln_checked *, int64_t n);
void ln_report_json(const ln_checked *, int64_t n);
ln_status ln_report_junit(const ln_checked *, int64_t n, const char *path);
int64_t ln_count_faults(const ln_checked *);

#endif
