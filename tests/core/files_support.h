/* files_support.h - what the tests of files and data share: a folder of their
 * own, tensors in a line, and expected sentences. */
#ifndef LUNET_TESTS_FILES_SUPPORT_H
#define LUNET_TESTS_FILES_SUPPORT_H

#include <dirent.h>
#include <unistd.h>

#include "core_support.h"

/* ---- a folder for the time of a test case; it is the current one --------- */

static char test_folder[] = "/tmp/lunet-test-??????";

__attribute__((unused)) static void enter_folder(void) {
  memset(test_folder + sizeof test_folder - 7, 'X', 6); /* for mkdtemp */
  if (mkdtemp(test_folder) == NULL || chdir(test_folder) != 0) abort();
}

__attribute__((unused)) static int count_files(const char *folder) {
  int n = 0;
  DIR *d = opendir(folder);
  for (struct dirent *e; d && (e = readdir(d)) != NULL;)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) n++;
  if (d) closedir(d);
  return n;
}

__attribute__((unused)) static void leave_folder(void) {
  DIR *d = opendir(".");
  for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    if (unlink(e->d_name) != 0) rmdir(e->d_name);
  }
  if (d) closedir(d);
  if (chdir("/tmp") == 0) rmdir(test_folder);
}

/* ---- files --------------------------------------------------------------- */

__attribute__((unused)) static void put_file(const char *path,
                                             const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
  ck_assert_int_eq(fclose(f), 0);
}

__attribute__((unused)) static void check_same_file(const char *a,
                                                    const char *b) {
  uint8_t *x, *y;
  size_t n, m;
  ck_ok(ln_file_read(a, &x, &n));
  ck_ok(ln_file_read(b, &y, &m));
  ck_assert_uint_eq(n, m);
  ck_assert_mem_eq(x, y, n);
  free(x);
  free(y);
}

/* ---- tensors ------------------------------------------------------------- */

__attribute__((unused)) static void
check_tensor(const ln_tensor *t, ln_shape shape, const float *values) {
  char expected[200], got[200];
  ck_assert_str_eq(ln_shape_text(&t->shape, got),
                   ln_shape_text(&shape, expected));
  for (int64_t i = 0; i < t->count; i++)
    ck_assert_msg(t->data[i] == (values ? values[i] : (float)(i + 1)),
                  "number %d is %g", (int)i, (double)t->data[i]);
}

__attribute__((unused)) static int
run(const char *name, const TTest *const *tests, size_t n, bool own_folder) {
  Suite *suite = suite_create(name);
  for (size_t i = 0; i < n; i++) {
    TCase *tc = tcase_create(tests[i]->name);
    if (own_folder) tcase_add_unchecked_fixture(tc, enter_folder, leave_folder);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
  }
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed > 0;
}

/* A program whose tests run in a new folder each. */
#define RUN_IN_FOLDERS(name, ...)                                              \
  int main(void) {                                                             \
    const TTest *tests[] = { __VA_ARGS__ };                                    \
    return run(name, tests, sizeof tests / sizeof tests[0], true);             \
  }

#endif
