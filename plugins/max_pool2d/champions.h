/* champions.h - the largest of several pixels, in each lane of a vector. */
#ifndef CHAMPIONS_H
#define CHAMPIONS_H

#include <lunet/kernels/lanes.h>

typedef int numbers __attribute__((vector_size(LN_VECTOR * 4)));
typedef unsigned char bytes __attribute__((vector_size(LN_VECTOR)));

/* The best pixel so far of each window, and which of the window's it is,
 * counted row by row. */
typedef struct champions {
  ln_vector value;
  numbers which;
} champions;

/* The challenger wins if it is larger, or NaN. */
LN_INLINE champions challenge(champions best, ln_vector challenger, int which) {
  const numbers wins =
      (numbers)(challenger > best.value) | (numbers)(challenger != challenger);
  return (champions){
    .value = (ln_vector)((wins & (numbers)challenger) |
                         (~wins & (numbers)best.value)),
    .which = (wins & which) | (~wins & best.which),
  };
}

/* Of the first n lanes, or all: the values to y, a byte each to winner. */
LN_INLINE void store_champions(champions best, int64_t n, float *y,
                               unsigned char *winner) {
  const bytes which = __builtin_convertvector(best.which, bytes);
  ln_store_first(y, best.value, n);
  if (n >= LN_VECTOR)
    memcpy(winner, &which, sizeof which);
  else
    memcpy(winner, &which, (size_t)n);
}

#endif
