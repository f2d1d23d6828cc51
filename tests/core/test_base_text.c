/* Sentences of errors, texts that grow, the nearest word, memory. */
#include "core_support.h"
#include "base/memory.h"
#include "base/text.h"

#include <pthread.h>

START_TEST(an_error_may_quote_the_last_one) {
  ck_assert_int_eq(ln_set_error("kernel %dx%d", 7, 7), LN_FAILED);
  ln_set_error("[%s]", ln_error());
  ck_assert_int_eq(ln_prefix_error("layer %d: ", 3), LN_FAILED);
  ck_assert_str_eq(ln_error(), "layer 3: [kernel 7x7]");
}
END_TEST

START_TEST(long_errors_are_cut_not_lost) {
  char word[20000];
  memset(word, 'x', sizeof word - 1);
  word[sizeof word - 1] = 0;
  ln_set_error("%s", word);
  ck_assert_uint_ge(strlen(ln_error()), 4096);
  ln_prefix_error("%s", word);
  ck_assert_uint_ge(strlen(ln_error()), 4096);
}
END_TEST

static void *fail_elsewhere(void *unused) {
  ln_set_error("elsewhere");
  return unused;
}

START_TEST(each_thread_has_its_own_error) {
  pthread_t thread;
  ln_set_error("here");
  pthread_create(&thread, NULL, fail_elsewhere, NULL);
  pthread_join(thread, NULL);
  ck_assert_str_eq(ln_error(), "here");
}
END_TEST

START_TEST(texts_grow) {
  ln_text t = { 0 };
  ck_assert_str_eq(ln_text_get(&t), "");
  for (int i = 0; i < 1000; i++) ln_text_add(&t, "%d,", i % 10);
  ck_assert_uint_eq(strlen(ln_text_get(&t)), 2000);
  ck_assert_int_eq(memcmp(ln_text_get(&t) + 1990, "5,6,7,8,9,", 10), 0);
  ln_text_free(&t);
  ck_assert_str_eq(ln_text_get(&t), "");
}
END_TEST

static const char *nearest(const char *word) {
  static const char *const words[] = { "stride", "padding", "p", "out_channels",
                                       "in_channels" };
  const char *found = ln_nearest_word(word, words, 5);
  return found ? found : "-";
}

START_TEST(near_words_are_found) {
  ck_assert_str_eq(nearest("strides"), "stride");
  ck_assert_str_eq(nearest("stirde"), "stride");
  ck_assert_str_eq(nearest("pading"), "padding");
  ck_assert_str_eq(nearest("out_chanels"), "out_channels");
  ck_assert_str_eq(nearest("kernel"), "-");
  ck_assert_str_eq(nearest("q"), "p");
}
END_TEST

/* AddressSanitizer: too large a wish is no error of ours. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

START_TEST(memory_begins_at_64_bytes) {
  for (size_t n = 0; n < 1000; n += 37) {
    char *p = ln_alloc_zero(n);
    ck_assert_uint_eq((uintptr_t)p % 64, 0);
    for (size_t i = 0; i < n; i++) ck_assert_int_eq(p[i], 0);
    ln_free(p);
  }
  ck_assert_ptr_null(ln_alloc((size_t)1 << 62));
  ck_assert_ptr_nonnull(strstr(ln_error(), "out of memory"));
}
END_TEST

START_TEST(sizes_do_not_overflow_silently) {
  int64_t n;
  ck_assert(ln_multiply(1 << 20, 1 << 20, &n) && n == (int64_t)1 << 40);
  ck_assert(!ln_multiply((int64_t)1 << 40, (int64_t)1 << 40, &n));
  ck_assert(!ln_sum(INT64_MAX, 1, &n));
}
END_TEST

RUN_TESTS("base: texts and memory", an_error_may_quote_the_last_one,
          long_errors_are_cut_not_lost, each_thread_has_its_own_error,
          texts_grow, near_words_are_found, memory_begins_at_64_bytes,
          sizes_do_not_overflow_silently)
