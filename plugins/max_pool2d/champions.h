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

/* And back: a number each. Written out, as GCC 12 takes the bytes apart one by
 * one otherwise. */
LN_INLINE numbers load_winners(const unsigned char *winner) {
#if LN_VECTOR == 16
  return (numbers)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)winner));
#elif LN_VECTOR == 8
  return (numbers)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)winner));
#else
  return (numbers){ winner[0], winner[1], winner[2], winner[3] };
#endif
}

#endif
