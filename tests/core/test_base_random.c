/* Random numbers: the published vectors, the documented layout, statistics,
 * and that a stream is the same however it is cut. */
#include "core_support.h"
#include "base/random.h"

static void check_block(ln_random r, uint64_t first, const uint32_t *expected) {
  uint32_t words[4];
  ln_random_words(r, first, 4, words);
  for (int i = 0; i < 4; i++) ck_assert_uint_eq(words[i], expected[i]);
}

/* The known answers of Random123, the authors' own library. */
START_TEST(philox_gives_the_published_words) {
  const uint32_t zeros[] = { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 };
  check_block((ln_random){ 0, 0 }, 0, zeros);
}
END_TEST

/* The digits of pi as counter (243f6a88 05a308d3 13198a2e 03707344) and key
 * (a4093822 299f31d0). The words are those of a second implementation, which
 * gives Random123's own for the second word 85a308d3; an index, four times
 * the low half of the counter, does not reach that far. */
START_TEST(index_step_and_key_stand_in_their_places) {
  const uint32_t words[] = { 0x2fe11a02, 0x572a2f27, 0x2f88763b, 0x78d5e325 };
  check_block((ln_random){ 0x299f31d0a4093822u, 0x0370734413198a2eu },
              4 * 0x05a308d3243f6a88u, words);
}
END_TEST

START_TEST(any_slice_equals_the_whole) {
  enum { N = 41 };
  ln_random r = ln_random_stream(3, 1, 7);
  float whole[N], part[N], normal[N], normal_part[N];
  ln_random_uniform(r, 100, N, whole);
  ln_random_normal(r, 100, N, normal);
  for (int begin = 0; begin < N; begin++)
    for (int n = 0; begin + n <= N; n++) {
      ln_random_uniform(r, (uint64_t)(100 + begin), n, part);
      ln_random_normal(r, (uint64_t)(100 + begin), n, normal_part);
      ck_assert_mem_eq(part, whole + begin, (size_t)n * sizeof(float));
      ck_assert_mem_eq(normal_part, normal + begin, (size_t)n * sizeof(float));
    }
}
END_TEST

enum { MANY = 200000 };
static float numbers[MANY];

static void mean_and_variance(double *mean, double *variance) {
  double sum = 0, squares = 0;
  for (int i = 0; i < MANY; i++) sum += (double)numbers[i];
  *mean = sum / MANY;
  for (int i = 0; i < MANY; i++) squares += pow((double)numbers[i] - *mean, 2);
  *variance = squares / MANY;
}

/* Five standard errors of the mean and of the variance. */
START_TEST(uniform_numbers_are_uniform) {
  double mean, variance;
  ln_random_uniform(ln_random_stream(0, 0, 0), 0, MANY, numbers);
  mean_and_variance(&mean, &variance);
  ck_assert_double_eq_tol(mean, 0.5, 5 * 0.289 / sqrt(MANY));
  ck_assert_double_eq_tol(variance, 1.0 / 12, 5 * 0.0746 / sqrt(MANY));
  for (int i = 0; i < MANY; i++) ck_assert(numbers[i] >= 0 && numbers[i] < 1);
}
END_TEST

START_TEST(normal_numbers_are_normal) {
  double mean, variance, inside = 0;
  ln_random_normal(ln_random_stream(0, 0, 0), 0, MANY, numbers);
  mean_and_variance(&mean, &variance);
  for (int i = 0; i < MANY; i++) inside += fabsf(numbers[i]) < 1;
  ck_assert_double_eq_tol(mean, 0, 5 / sqrt(MANY));
  ck_assert_double_eq_tol(variance, 1, 5 * sqrt(2.0 / MANY));
  ck_assert_double_eq_tol(inside / MANY, 0.6827, 5 * 0.4655 / sqrt(MANY));
}
END_TEST

START_TEST(a_shuffle_is_a_permutation) {
  int64_t order[1000], seen[1000] = { 0 }, moved = 0;
  ln_manual_seed(1);
  ck_ok(ln_permutation(1000, order));
  for (int i = 0; i < 1000; i++) {
    seen[order[i]]++;
    moved += order[i] != i;
  }
  for (int i = 0; i < 1000; i++) ck_assert_int_eq(seen[i], 1);
  ck_assert_int_gt(moved, 950);
}
END_TEST

/* 6000 shuffles of three: each of the six orders about 1000 times. */
START_TEST(all_orders_are_equally_likely) {
  int counts[3][3] = { { 0 } };
  for (uint64_t i = 0; i < 6000; i++) {
    int64_t order[3] = { 0, 1, 2 };
    ln_random_shuffle(ln_random_stream(i, 0, 0), 3, order);
    counts[order[0]][order[1]]++;
  }
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      if (i != j) ck_assert_int_le(abs(counts[i][j] - 1000), 150);
}
END_TEST

START_TEST(a_seed_starts_all_again) {
  ln_shape shape = LN_SHAPE(5);
  ln_tensor *a, *b, *c, *d;
  ln_manual_seed(7);
  ck_ok(ln_tensor_rand(&shape, &a));
  ck_ok(ln_tensor_rand(&shape, &b));
  ln_manual_seed(7);
  ck_ok(ln_tensor_rand(&shape, &c));
  ln_manual_seed(8);
  ck_ok(ln_tensor_rand(&shape, &d));
  ck_assert_mem_eq(a->data, c->data, 5 * sizeof(float));
  ck_assert_mem_ne(a->data, b->data, 5 * sizeof(float));
  ck_assert_mem_ne(a->data, d->data, 5 * sizeof(float));
  ln_tensor_release(a), ln_tensor_release(b);
  ln_tensor_release(c), ln_tensor_release(d);
}
END_TEST

RUN_TESTS("base: random numbers", philox_gives_the_published_words,
          index_step_and_key_stand_in_their_places, any_slice_equals_the_whole,
          uniform_numbers_are_uniform, normal_numbers_are_normal,
          a_shuffle_is_a_permutation, all_orders_are_equally_likely,
          a_seed_starts_all_again)
