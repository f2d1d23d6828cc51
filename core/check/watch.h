/* watch.h - crashes and endless calls become findings: handlers of signals
 * that know which callback runs, and which memory is guarded. */
#ifndef LUNET_CHECK_WATCH_H
#define LUNET_CHECK_WATCH_H

#include "check/checking.h"

/* From now on in this process, which ends after such a finding. */
void ln_watch_start(ln_checking *);
/* Around each callback. A call may take two seconds of the processors' time,
 * and fifteen in all. */
void ln_watch_enter(const char *callback);
void ln_watch_leave(void);

#endif
