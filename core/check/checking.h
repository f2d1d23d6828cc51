/* checking.h - what a group of checks works with: the layer, the seed, and
 * the way to report. A group runs in a process of its own. */
#ifndef LUNET_CHECK_CHECKING_H
#define LUNET_CHECK_CHECKING_H

#include "check/finding.h"
#include "host/instance.h"

typedef struct ln_checking {
  const char *path; /* of the plugin file */
  const char *group;
  const char *word; /* of the layer; NULL: the file as a whole */
  const ln_known_layer *known;
  bool wraps; /* it links a library beyond libc and libm */
  int row;    /* of the methods, from 1; 0: the textbook */
  int level;
  uint64_t seed;
  int samples;     /* how many options and shapes to draw */
  int pipe;        /* where findings go */
  char where[700]; /* the case at hand */
  char call[40];   /* the callback at hand, "" between calls */
} ln_checking;     /* in memory shared with the parent, which reads the last
                      words of a child that ended */

/* Reports a fault; `what` is a format. The finding says where, as set by the
 * latest ln_checking_at. */
void ln_report(ln_checking *, const char *check, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
void ln_remark(ln_checking *, const char *check, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with both values. */
void ln_report_values(ln_checking *, const char *check, double expected,
                      double got, const char *what, ...)
    __attribute__((format(printf, 5, 6)));
/* Has this check reported already? One case is enough. */
bool ln_reported(const char *check);
void ln_send(const ln_checking *, const ln_finding *);

/* The groups, see groups.c. */
typedef struct ln_group {
  const char *name;
  int level;    /* from which on it runs */
  bool of_file; /* once a file, not once a layer */
  void (*run)(ln_checking *);
} ln_group;
const ln_group *ln_group_row(int index); /* NULL behind the last */

void ln_group_load(ln_checking *);
void ln_group_descriptor(ln_checking *);
void ln_group_options(ln_checking *);
void ln_group_shapes(ln_checking *);
void ln_group_memory(ln_checking *);
void ln_group_numbers(ln_checking *);
void ln_group_methods(ln_checking *);
void ln_group_promises(ln_checking *);
void ln_group_threads(ln_checking *);
void ln_group_behaviour(ln_checking *);
void ln_group_cost(ln_checking *);
void ln_group_session(ln_checking *);

#endif
