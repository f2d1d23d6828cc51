/* The matrix product: against the three loops, and the same bits whoever
 * computes it. */
#include "core_support.h"
#include "base/random.h"
#include "base/threads.h"
#include "tensor/matmul.h"

typedef struct problem {
  bool transpose_a, transpose_b;
  int64_t m, n, k, lda, ldb, ldc;
  float beta, *a, *b, *c;
} problem;

static float *numbers(int64_t n, uint64_t user) {
  float *x = malloc((size_t)(n + 1) * sizeof(float));
  ln_random_uniform(ln_random_stream(user, 0, 0), 0, n, x);
  for (int64_t i = 0; i < n; i++) x[i] -= 0.5f;
  return x;
}

static int64_t area(int64_t rows, int64_t columns, int64_t row) {
  return rows > 0 ? (rows - 1) * row + columns : 0;
}

/* Rows lie `gap` floats further apart than they must; the memory ends with
 * the last element, so that a sanitizer sees who reads on. */
static problem pose(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                    int64_t gap, float beta) {
  problem p = {
    ta,      tb,   m,    n,    k,   (ta ? m : k) + gap, (tb ? k : n) + gap,
    n + gap, beta, NULL, NULL, NULL
  };
  p.a = numbers(ta ? area(k, m, p.lda) : area(m, k, p.lda), 1);
  p.b = numbers(tb ? area(n, k, p.ldb) : area(k, n, p.ldb), 2);
  p.c = numbers(area(m, n, p.ldc), 3);
  return p;
}

static void discard(problem *p) {
  free(p->a), free(p->b), free(p->c);
}

static void solve(const problem *p, float *c) {
  ln_matmul(p->transpose_a, p->transpose_b, p->m, p->n, p->k, p->a, p->lda,
            p->b, p->ldb, p->beta, c, p->ldc);
}

static double textbook(const problem *p, int64_t i, int64_t j, double *size) {
  double sum = 0;
  if (p->beta != 0) sum = (double)p->beta * (double)p->c[i * p->ldc + j];
  *size = fabs(sum);
  for (int64_t q = 0; q < p->k; q++) {
    float a = p->transpose_a ? p->a[q * p->lda + i] : p->a[i * p->lda + q];
    float b = p->transpose_b ? p->b[j * p->ldb + q] : p->b[q * p->ldb + j];
    sum += (double)a * (double)b;
    *size += fabs((double)a * (double)b);
  }
  return sum;
}

static float *copy_of_c(const problem *p) {
  size_t bytes = (size_t)area(p->m, p->n, p->ldc) * sizeof(float);
  float *c = malloc(bytes + 1);
  memcpy(c, p->c, bytes);
  return c;
}

/* Also what lies between the rows must stay. */
static void check_solution(const problem *p) {
  float *c = copy_of_c(p);
  solve(p, c);
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t j = 0; j < p->ldc && (i + 1 < p->m || j < p->n); j++) {
      double size = 0, got = (double)c[i * p->ldc + j];
      double wanted =
          j < p->n ? textbook(p, i, j, &size) : (double)p->c[i * p->ldc + j];
      ck_assert_msg(fabs(got - wanted) <= 2e-6 * size,
                    "%dx%dx%d ta %d tb %d: c[%d,%d] is %g, not %g", (int)p->m,
                    (int)p->n, (int)p->k, p->transpose_a, p->transpose_b,
                    (int)i + 1, (int)j + 1, got, wanted);
    }
  free(c);
}

static void try_all(int64_t m, int64_t n, int64_t k, int64_t gap, float beta) {
  for (int t = 0; t < 4; t++) {
    problem p = pose(t & 1, t & 2, m, n, k, gap, beta);
    check_solution(&p);
    discard(&p);
  }
}

START_TEST(small_sizes) {
  for (int64_t m = 1; m < 32; m += 3)
    for (int64_t n = 1; n < 70; n += 5)
      for (int64_t k = 1; k < 14; k += 4) try_all(m, n, k, n % 3, 0);
}
END_TEST

START_TEST(sizes_around_the_blocks) {
  const int64_t sizes[] = { 5, 15, 31, 257, 300 };
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 5; j++)
      for (int q = 0; q < 5; q++)
        if (sizes[i] * sizes[j] * sizes[q] < 3000000)
          try_all(sizes[i], sizes[j], sizes[q], 1, 0.5f);
}
END_TEST

START_TEST(large_enough_for_threads) {
  ck_ok(ln_set_num_threads(3));
  try_all(301, 290, 67, 0, 0);
  try_all(37, 530, 260, 3, 1);
}
END_TEST

START_TEST(beta_scales_what_was_there) {
  try_all(17, 19, 23, 2, 1);
  try_all(17, 19, 23, 2, -1.5f);
}
END_TEST

START_TEST(beta_0_does_not_read_c) {
  for (int64_t n = 1; n < 70; n += 7) {
    problem p = pose(false, false, 9, n, 5, 0, 0);
    for (int64_t i = 0; i < 9 * n; i++) p.c[i] = NAN;
    check_solution(&p);
    discard(&p);
  }
}
END_TEST

START_TEST(nothing_to_add_up) {
  try_all(7, 33, 0, 1, 0);
  try_all(7, 33, 0, 1, 0.25f);
  ln_matmul(false, false, 0, 5, 5, NULL, 5, NULL, 5, 0, NULL, 5);
  ln_matmul(false, true, 5, 0, 5, NULL, 5, NULL, 5, 1, NULL, 1);
}
END_TEST

static void solve_in_task(void *arg, int64_t index, int slot) {
  problem *p = arg;
  (void)slot;
  if (index == 0) solve(p, p->c);
}

/* 1, 2, 3, 7 threads, and inside a task. */
static void check_bits(problem p) {
  size_t bytes = (size_t)(p.m * p.ldc) * sizeof(float);
  float *alone = copy_of_c(&p), *c;
  ck_ok(ln_set_num_threads(1));
  solve(&p, alone);
  const int threads[] = { 2, 3, 7 };
  for (int i = 0; i < 3; i++) {
    ck_ok(ln_set_num_threads(threads[i]));
    c = copy_of_c(&p);
    solve(&p, c);
    ck_assert_int_eq(memcmp(c, alone, bytes), 0);
    free(c);
  }
  ln_parallel_all(2, solve_in_task, &p);
  ck_assert_int_eq(memcmp(p.c, alone, bytes), 0);
  free(alone);
  discard(&p);
}

START_TEST(the_same_bits_for_any_number_of_threads) {
  for (int t = 0; t < 4; t++) {
    check_bits(pose(t & 1, t & 2, 200, 301, 300, 0, 0.5f));
    check_bits(pose(t & 1, t & 2, 1000, 40, 70, 0, 0));
    check_bits(pose(t & 1, t & 2, 13, 1500, 270, 0, 1));
  }
}
END_TEST

/* A row of c does not know how many others there are. */
START_TEST(the_same_bits_for_any_part) {
  for (int t = 0; t < 4; t++) {
    problem p = pose(t & 1, t & 2, 40, 77, 300, 0, 0);
    solve(&p, p.c);
    for (int64_t rows = 1; rows < 40; rows += 6)
      for (int64_t columns = 1; columns < 77; columns += 9) {
        problem part = p;
        part.m = rows;
        part.n = columns;
        part.a += 40 - rows > 0 ? (40 - rows) * (p.transpose_a ? 1 : p.lda) : 0;
        float *c = malloc((size_t)(40 * p.ldc) * sizeof(float));
        solve(&part, c);
        for (int64_t i = 0; i < rows; i++)
          ck_assert_int_eq(memcmp(c + i * p.ldc, p.c + (40 - rows + i) * p.ldc,
                                  (size_t)columns * sizeof(float)),
                           0);
        free(c);
      }
    discard(&p);
  }
}
END_TEST

START_TEST(tensors_multiply_as_in_numpy) {
  ln_tensor *a = make(LN_SHAPE(2, 3), NULL), *b = make(LN_SHAPE(3, 2), NULL);
  ln_tensor *v = make(LN_SHAPE(3), NULL), *y, *part;
  ck_ok(ln_tensor_matmul(a, b, &y));
  EXPECT(y, LN_SHAPE(2, 2), 22, 28, 49, 64);
  ck_ok(ln_tensor_matmul(a, v, &y));
  EXPECT(y, LN_SHAPE(2), 14, 32);
  ck_ok(ln_tensor_matmul(v, b, &y));
  EXPECT(y, LN_SHAPE(2), 22, 28);
  ck_ok(ln_tensor_matmul(v, v, &y));
  EXPECT(y, LN_NO_DIMS, 14);
  ck_ok(ln_tensor_narrow(b, 1, 1, 1, &part));
  ck_ok(ln_tensor_matmul(a, part, &y));
  EXPECT(y, LN_SHAPE(2, 1), 28, 64);
  ck_refused(ln_tensor_matmul(a, a, &y),
             "matmul: shapes (2,3) and (2,3) do not meet");
  ln_tensor_release(a), ln_tensor_release(b);
  ln_tensor_release(v), ln_tensor_release(part);
}
END_TEST

/* The choice is made once a process; Check forks one for each test. */
START_TEST(an_impossible_instruction_set_is_refused) {
  ln_tensor *a = make(LN_SHAPE(2, 2), NULL), *y;
  setenv("LUNET_ISA", "mmx", 1);
  ck_refused(ln_tensor_matmul(a, a, &y), "LUNET_ISA is 'mmx'; it must be");
  ln_tensor_release(a);
}
END_TEST

START_TEST(the_baseline_computes_the_same) {
  setenv("LUNET_ISA", "baseline", 1);
  try_all(33, 70, 270, 1, 0.5f);
  check_bits(pose(false, true, 200, 301, 60, 0, 0));
}
END_TEST

RUN_TESTS("tensors: matrix product", small_sizes, sizes_around_the_blocks,
          large_enough_for_threads, beta_scales_what_was_there,
          beta_0_does_not_read_c, nothing_to_add_up,
          the_same_bits_for_any_number_of_threads, the_same_bits_for_any_part,
          tensors_multiply_as_in_numpy,
          an_impossible_instruction_set_is_refused,
          the_baseline_computes_the_same)
