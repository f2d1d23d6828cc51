/* finding.h - what a check has found, and the catalogue of all checks. */
#ifndef LUNET_CHECK_FINDING_H
#define LUNET_CHECK_FINDING_H

#include <lunet/lunet.h>

/* A row of the catalogue. docs/author/check-plugin.md has a line for each. */
typedef struct ln_check {
  const char *name;  /* "memory.bounds": its group, and its own word */
  const char *what;  /* that it looks at */
  const char *cause; /* the likely cause of a failure */
} ln_check;

const ln_check *ln_check_find(const char *name);
const ln_check *ln_check_row(int index); /* NULL behind the last */

enum { LN_FAULT = 1, LN_REMARK = 2 };

/* Fixed sizes, as it travels through a pipe. */
typedef struct ln_finding {
  int severity; /* 0: no finding, the group tells how it ended */
  char check[40], layer[64], group[40]; /* the group that met it */
  char what[500];                       /* "forward reads x one past the end" */
  char where[700];                      /* shapes, options, method */
  char expected[200], got[200];
} ln_finding;

#endif
