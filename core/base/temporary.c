/* temporary.c - see temporary.h. */
#include "base/temporary.h"

#include <stdio.h>
#include <stdlib.h>

const char *ln_temporary_place(void) {
  const char *named = getenv("TMPDIR");
  return named && *named ? named : P_tmpdir;
}
