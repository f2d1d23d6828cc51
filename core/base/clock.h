/* clock.h - the time since an open moment; never set back. */
#ifndef LUNET_BASE_CLOCK_H
#define LUNET_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t ln_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline double ln_seconds(void) {
  return (double)ln_nanoseconds() * 1e-9;
}

#endif
