/* random.h - counter-based random numbers: Philox4x32-10 of Salmon, Moraes,
 * Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 *
 * A number is a function of (seed, user, stream, step, index) alone, so
 * numbers can be drawn in any order, by any thread, and drawn again. Layout,
 * which must never change (saved runs replay):
 *   key     = the two halves of splitmix64(seed ^ splitmix64(user * 2^16 +
 *             stream))
 *   counter = (index / 4 low, index / 4 high, step low, step high)
 *   number `index` is word index % 4 of the block; uniform = (word >> 8) /
 *   2^24; normal: Box-Muller on words (0,1) and (2,3) of the block. */
#ifndef LUNET_BASE_RANDOM_H
#define LUNET_BASE_RANDOM_H

#include <lunet/lunet.h>

typedef struct ln_random {
  uint64_t key, step;
} ln_random;

/* Each user of random numbers (a layer, a call of rand, a shuffle) takes the
 * next number since ln_manual_seed: same seed, same order, same numbers. */
uint64_t ln_random_next_user(void);
ln_random ln_random_stream(uint64_t user, uint32_t stream, uint64_t step);

void ln_random_words(ln_random r, uint64_t first, int64_t n, uint32_t *out);
void ln_random_uniform(ln_random r, uint64_t first, int64_t n, float *out);
void ln_random_normal(ln_random r, uint64_t first, int64_t n, float *out);
/* Shuffles out[0..n) (Fisher-Yates, unbiased). */
void ln_random_shuffle(ln_random r, int64_t n, int64_t *out);

#endif
