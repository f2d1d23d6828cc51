/* random.c - see random.h for the layout.
 *
 * A number is one word of the block  philox(counter, key);  a stream walks
 * through the blocks in order, and may begin and end within one. */
#include "base/random.h"

#include <math.h>

static uint64_t seed = 0;
static uint64_t next_user = 0;

void ln_manual_seed(uint64_t new_seed) {
  seed = new_seed;
  next_user = 0;
}

uint64_t ln_seed(void) {
  return seed;
}

uint64_t ln_random_next_user(void) {
  return next_user++;
}

/* The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t splitmix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

ln_random ln_random_stream(uint64_t user, uint32_t stream, uint64_t step) {
  uint64_t place = user * 65536 + stream;
  return (ln_random){ splitmix64(seed ^ splitmix64(place)), step };
}

enum { WORDS = 4, ROUNDS = 10 };

static void philox(ln_random r, uint64_t block, uint32_t out[WORDS]) {
  uint32_t key0 = (uint32_t)r.key, key1 = (uint32_t)(r.key >> 32);
  uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
  uint32_t c2 = (uint32_t)r.step, c3 = (uint32_t)(r.step >> 32);
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t product0 = (uint64_t)0xD2511F53u * c0;
    uint64_t product1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(product1 >> 32) ^ c1 ^ key0;
    c1 = (uint32_t)product1;
    c2 = (uint32_t)(product0 >> 32) ^ c3 ^ key1;
    c3 = (uint32_t)product0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

void ln_random_words(ln_random r, uint64_t first, int64_t n, uint32_t *out) {
  uint32_t words[WORDS];
  uint64_t place = first % WORDS, block = first / WORDS;
  for (int64_t i = 0; i < n; block++, place = 0) {
    philox(r, block, words);
    for (; place < WORDS && i < n; place++) out[i++] = words[place];
  }
}

static float uniform(uint32_t word) {
  return (float)(word >> 8) * 0x1p-24f;
}

void ln_random_uniform(ln_random r, uint64_t first, int64_t n, float *out) {
  uint32_t words[WORDS];
  uint64_t place = first % WORDS, block = first / WORDS;
  for (int64_t i = 0; i < n; block++, place = 0) {
    philox(r, block, words);
    for (; place < WORDS && i < n; place++) out[i++] = uniform(words[place]);
  }
}

/* Box and Muller: two uniform words make two independent normal numbers. */
static void normal_pair(const uint32_t words[2], float out[2]) {
  double above_0 = ((double)words[0] + 1) * 0x1p-32; /* in (0,1] */
  double angle = (double)words[1] * (0x1p-32 * 2 * M_PI);
  double radius = sqrt(-2 * log(above_0));
  out[0] = (float)(radius * cos(angle));
  out[1] = (float)(radius * sin(angle));
}

void ln_random_normal(ln_random r, uint64_t first, int64_t n, float *out) {
  uint32_t words[WORDS];
  float normals[WORDS];
  uint64_t place = first % WORDS, block = first / WORDS;
  for (int64_t i = 0; i < n; block++, place = 0) {
    philox(r, block, words);
    normal_pair(words, normals);
    normal_pair(words + 2, normals + 2);
    for (; place < WORDS && i < n; place++) out[i++] = normals[place];
  }
}

/* A whole number in [0, limit), each equally likely: the words below the
 * largest multiple of limit, modulo limit; the few above are thrown away. */
static uint64_t below(ln_random r, uint64_t *next_word, uint64_t limit) {
  uint64_t excess = -limit % limit; /* 2^64 modulo limit */
  for (;;) {
    uint32_t half[2];
    ln_random_words(r, *next_word, 2, half);
    *next_word += 2;
    uint64_t word = (uint64_t)half[1] << 32 | half[0];
    if (word <= UINT64_MAX - excess) return word % limit;
  }
}

void ln_random_shuffle(ln_random r, int64_t n, int64_t *out) {
  uint64_t next_word = 0;
  for (int64_t last = n - 1; last > 0; last--) {
    int64_t chosen = (int64_t)below(r, &next_word, (uint64_t)last + 1);
    int64_t kept = out[last];
    out[last] = out[chosen];
    out[chosen] = kept;
  }
}
