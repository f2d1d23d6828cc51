/* runner.h - each group of checks in a process of its own, with a limit of
 * time: whatever a plugin does there, the checker lives on. */
#ifndef LUNET_CHECK_RUNNER_H
#define LUNET_CHECK_RUNNER_H

#include "check/checking.h"

typedef struct ln_findings {
  int64_t count;
  ln_finding *at;
} ln_findings;

/* A group at work. */
typedef struct ln_run {
  int pid, pipe;
  ln_checking *checking; /* shared with it */
} ln_run;

/* Starts the group on the layer how->word (NULL: on the file). */
bool ln_run_start(const ln_group *, const ln_checking *how, ln_run *);
/* Waits for its end and adds what it has found; that it ended early is a
 * finding, too. */
void ln_run_finish(ln_run *, ln_findings *);
/* The words of the layers in a file, found in a process of its own; the list
 * ends with "". At most `most`. false: the file could not be opened. */
bool ln_list_words(const char *path, char words[][64], int most);
void ln_findings_add(ln_findings *, const ln_finding *);

#endif
