/* core_support.h - what all tests in C share: checks, tensors, the program. */
#ifndef LUNET_TESTS_CORE_SUPPORT_H
#define LUNET_TESTS_CORE_SUPPORT_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lunet/lunet.h>

#define ck_ok(call) ck_assert_msg((call) == LN_OK, "%s", ln_error())
/* The call must fail, and its sentence must contain the text. */
#define ck_refused(call, text)                                                 \
  do {                                                                         \
    ck_assert_int_eq((call), LN_FAILED);                                       \
    ck_assert_msg(strstr(ln_error(), (text)) != NULL,                          \
                  "expected ...%s..., got: %s", (text), ln_error());           \
  } while (0)

/* 1, 2, 3, ... or what `values` says. */
__attribute__((unused)) static ln_tensor *make(ln_shape shape,
                                               const float *values) {
  ln_tensor *t;
  ck_ok(ln_tensor_new(&shape, &t));
  for (int64_t i = 0; i < t->count; i++)
    t->data[i] = values ? values[i] : (float)(i + 1);
  return t;
}
#define MAKE(shape, ...) make(shape, (const float[]){ __VA_ARGS__ })

/* Releases t after looking at all of it; a NaN equals a NaN. */
__attribute__((unused)) static void expect(ln_tensor *t, ln_shape shape,
                                           const float *values) {
  char expected[200], got[200];
  ln_tensor *dense;
  ck_assert_str_eq(ln_shape_text(&t->shape, got),
                   ln_shape_text(&shape, expected));
  ck_ok(ln_tensor_dense(t, &dense));
  for (int64_t i = 0; i < dense->count; i++) {
    float a = dense->data[i], b = values[i];
    ck_assert_msg(a == b || (isnan(a) && isnan(b)),
                  "element %d is %.9g, expected %.9g", (int)i + 1, (double)a,
                  (double)b);
  }
  ln_tensor_release(dense);
  ln_tensor_release(t);
}
#define EXPECT(t, shape, ...) expect(t, shape, (const float[]){ __VA_ARGS__ })

/* A shape without dims: a single number. */
#define LN_NO_DIMS ((ln_shape){ .rank = 0 })

__attribute__((unused)) static int
run_tests(const char *name, const TTest *const *tests, size_t n) {
  Suite *suite = suite_create(name);
  for (size_t i = 0; i < n; i++) {
    TCase *tc = tcase_create(tests[i]->name);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
  }
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed > 0;
}

#define RUN_TESTS(name, ...)                                                   \
  int main(void) {                                                             \
    const TTest *tests[] = { __VA_ARGS__ };                                    \
    return run_tests(name, tests, sizeof tests / sizeof tests[0]);             \
  }

#endif
