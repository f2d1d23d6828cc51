/* surroundings.h - what belongs to the whole process: may a plugin change it?
 * No. A picture of it before and after tells. */
#ifndef LUNET_CHECK_SURROUNDINGS_H
#define LUNET_CHECK_SURROUNDINGS_H

#include <lunet/lunet.h>

typedef struct ln_surroundings {
  int rounding, files, threads;
  uint64_t denormals;
  char locale[100], folder[400];
  void *handlers[32];
  int64_t printed; /* bytes on the diverted output */
} ln_surroundings;

void ln_look_around(ln_surroundings *);
/* What differs, in words; NULL: nothing. Printing is left out. */
const char *ln_what_changed(const ln_surroundings *before,
                            const ln_surroundings *after);

#endif
