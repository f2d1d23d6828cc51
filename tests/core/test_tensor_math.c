/* Elementwise rules, broadcasting and reductions, by hand. */
#include "core_support.h"

static ln_tensor *binary(ln_binary_op op, ln_tensor *a, ln_tensor *b) {
  ln_tensor *y;
  ck_ok(ln_tensor_binary(op, a, b, &y));
  return y;
}

static ln_tensor *unary(ln_unary_op op, ln_tensor *a) {
  ln_tensor *y;
  ck_ok(ln_tensor_unary(op, a, &y));
  return y;
}

static ln_tensor *reduce(ln_reduce_op op, ln_tensor *a, int dim) {
  ln_tensor *y;
  ck_ok(ln_tensor_reduce(op, a, dim, &y));
  return y;
}

static double reduce_all(ln_reduce_op op, ln_tensor *a) {
  double y;
  ck_ok(ln_tensor_reduce_all(op, a, &y));
  return y;
}

START_TEST(pairs) {
  ln_tensor *a = MAKE(LN_SHAPE(4), 1, 2, -3, 4),
            *b = MAKE(LN_SHAPE(4), 2, 2, 2, -1);
  EXPECT(binary(LN_OP_ADD, a, b), LN_SHAPE(4), 3, 4, -1, 3);
  EXPECT(binary(LN_OP_SUB, a, b), LN_SHAPE(4), -1, 0, -5, 5);
  EXPECT(binary(LN_OP_MUL, a, b), LN_SHAPE(4), 2, 4, -6, -4);
  EXPECT(binary(LN_OP_DIV, a, b), LN_SHAPE(4), 0.5f, 1, -1.5f, -4);
  EXPECT(binary(LN_OP_POW, a, b), LN_SHAPE(4), 1, 4, 9, 0.25f);
  EXPECT(binary(LN_OP_MAXIMUM, a, b), LN_SHAPE(4), 2, 2, 2, 4);
  EXPECT(binary(LN_OP_MINIMUM, a, b), LN_SHAPE(4), 1, 2, -3, -1);
  EXPECT(binary(LN_OP_EQ, a, b), LN_SHAPE(4), 0, 1, 0, 0);
  EXPECT(binary(LN_OP_NE, a, b), LN_SHAPE(4), 1, 0, 1, 1);
  EXPECT(binary(LN_OP_LT, a, b), LN_SHAPE(4), 1, 0, 1, 0);
  EXPECT(binary(LN_OP_LE, a, b), LN_SHAPE(4), 1, 1, 1, 0);
  EXPECT(binary(LN_OP_GT, a, b), LN_SHAPE(4), 0, 0, 0, 1);
  EXPECT(binary(LN_OP_GE, a, b), LN_SHAPE(4), 0, 1, 0, 1);
  ln_tensor_release(a), ln_tensor_release(b);
}
END_TEST

START_TEST(broadcasting) {
  ln_tensor *a = make(LN_SHAPE(2, 3), NULL), *number = MAKE(LN_NO_DIMS, 10);
  ln_tensor *row = MAKE(LN_SHAPE(3), 10, 20, 30);
  ln_tensor *column = MAKE(LN_SHAPE(2, 1), 100, 200), *part;
  EXPECT(binary(LN_OP_ADD, a, row), LN_SHAPE(2, 3), 11, 22, 33, 14, 25, 36);
  EXPECT(binary(LN_OP_SUB, row, a), LN_SHAPE(2, 3), 9, 18, 27, 6, 15, 24);
  EXPECT(binary(LN_OP_ADD, a, column), LN_SHAPE(2, 3), 101, 102, 103, 204, 205,
         206);
  EXPECT(binary(LN_OP_ADD, row, column), LN_SHAPE(2, 3), 110, 120, 130, 210,
         220, 230);
  EXPECT(binary(LN_OP_SUB, number, a), LN_SHAPE(2, 3), 9, 8, 7, 6, 5, 4);
  EXPECT(binary(LN_OP_SUB, a, number), LN_SHAPE(2, 3), -9, -8, -7, -6, -5, -4);
  ck_ok(ln_tensor_narrow(a, 1, 1, 2, &part));
  EXPECT(binary(LN_OP_MUL, part, column), LN_SHAPE(2, 2), 200, 300, 1000, 1200);
  EXPECT(unary(LN_OP_NEG, part), LN_SHAPE(2, 2), -2, -3, -5, -6);
  ln_tensor_release(a), ln_tensor_release(number), ln_tensor_release(row);
  ln_tensor_release(column), ln_tensor_release(part);
}
END_TEST

/* All shapes of up to four dims of sizes 1 to 3, against plain indexing. */
START_TEST(broadcasting_of_four_dims) {
  for (int bits = 0; bits < 256; bits++) {
    ln_shape sa = { .rank = 4 }, sb = { .rank = 4 };
    for (int i = 0; i < 4; i++) {
      sa.dim[i] = bits >> i & 1 ? 1 : i % 2 + 2;
      sb.dim[i] = bits >> (4 + i) & 1 ? 1 : i % 2 + 2;
    }
    ln_tensor *a = make(sa, NULL), *b = make(sb, NULL);
    ln_tensor *y = binary(LN_OP_SUB, a, b);
    for (int64_t i = 0; i < y->count; i++) {
      int64_t left = i, at_a = 0, at_b = 0, step_a = 1, step_b = 1;
      for (int d = 3; d >= 0; d--) {
        int64_t place = left % y->shape.dim[d];
        left /= y->shape.dim[d];
        at_a += sa.dim[d] == 1 ? 0 : place * step_a;
        at_b += sb.dim[d] == 1 ? 0 : place * step_b;
        step_a *= sa.dim[d];
        step_b *= sb.dim[d];
      }
      ck_assert(y->data[i] == a->data[at_a] - b->data[at_b]);
    }
    ln_tensor_release(a), ln_tensor_release(b), ln_tensor_release(y);
  }
}
END_TEST

START_TEST(shapes_that_do_not_meet) {
  ln_tensor *a = make(LN_SHAPE(2, 3), NULL), *b = make(LN_SHAPE(2, 4), NULL),
            *y;
  ck_refused(ln_tensor_binary(LN_OP_ADD, a, b, &y),
             "add: shapes (2,3) and (2,4) do not meet: counted from the last, "
             "dim 1 is 3 and 4");
  ln_tensor_release(a), ln_tensor_release(b);
}
END_TEST

START_TEST(a_nan_wins) {
  ln_tensor *a = MAKE(LN_SHAPE(3), NAN, 1, 2),
            *b = MAKE(LN_SHAPE(3), 1, NAN, 1);
  ln_tensor *m = MAKE(LN_SHAPE(2, 3), 1, NAN, NAN, 5, 4, 5);
  EXPECT(binary(LN_OP_MAXIMUM, a, b), LN_SHAPE(3), NAN, NAN, 2);
  EXPECT(binary(LN_OP_MINIMUM, a, b), LN_SHAPE(3), NAN, NAN, 1);
  EXPECT(binary(LN_OP_EQ, a, a), LN_SHAPE(3), 0, 1, 1);
  EXPECT(unary(LN_OP_SIGN, a), LN_SHAPE(3), NAN, 1, 1);
  EXPECT(reduce(LN_OP_MAX, m, 1), LN_SHAPE(2), NAN, 5);
  EXPECT(reduce(LN_OP_MIN, m, 0), LN_SHAPE(3), 1, NAN, NAN);
  EXPECT(reduce(LN_OP_ARGMAX, m, 1), LN_SHAPE(2), 1, 0);
  EXPECT(reduce(LN_OP_ARGMIN, m, 1), LN_SHAPE(2), 1, 1);
  ck_assert(isnan(reduce_all(LN_OP_MAX, m)));
  ck_assert(reduce_all(LN_OP_ARGMIN, m) == 1);
  ln_tensor_release(a), ln_tensor_release(b), ln_tensor_release(m);
}
END_TEST

START_TEST(single_elements) {
  ln_tensor *a = MAKE(LN_SHAPE(5), -2.5f, -0.5f, 0, 1.5f, 100);
  ln_tensor *s = MAKE(LN_SHAPE(3), 0, 1, 4);
  EXPECT(unary(LN_OP_NEG, a), LN_SHAPE(5), 2.5f, 0.5f, 0, -1.5f, -100);
  EXPECT(unary(LN_OP_ABS, a), LN_SHAPE(5), 2.5f, 0.5f, 0, 1.5f, 100);
  EXPECT(unary(LN_OP_SIGN, a), LN_SHAPE(5), -1, -1, 0, 1, 1);
  EXPECT(unary(LN_OP_FLOOR, a), LN_SHAPE(5), -3, -1, 0, 1, 100);
  EXPECT(unary(LN_OP_ROUND, a), LN_SHAPE(5), -2, 0, 0, 2, 100);
  EXPECT(unary(LN_OP_EXP, a), LN_SHAPE(5), expf(-2.5f), expf(-0.5f), 1,
         expf(1.5f), INFINITY);
  EXPECT(unary(LN_OP_SQRT, s), LN_SHAPE(3), 0, 1, 2);
  EXPECT(unary(LN_OP_LOG, s), LN_SHAPE(3), -INFINITY, 0, logf(4));
  EXPECT(unary(LN_OP_SIN, s), LN_SHAPE(3), 0, sinf(1), sinf(4));
  EXPECT(unary(LN_OP_COS, s), LN_SHAPE(3), 1, cosf(1), cosf(4));
  EXPECT(unary(LN_OP_TANH, s), LN_SHAPE(3), 0, tanhf(1), tanhf(4));
  ln_tensor *y = unary(LN_OP_SIGMOID, a);
  for (int i = 0; i < 5; i++)
    ck_assert_float_eq_tol(y->data[i],
                           (float)(1 / (1 + exp(-(double)a->data[i]))), 1e-7f);
  ln_tensor_release(a), ln_tensor_release(s), ln_tensor_release(y);
}
END_TEST

START_TEST(reductions) {
  ln_tensor *a = make(LN_SHAPE(2, 3, 2), NULL), *part;
  EXPECT(reduce(LN_OP_SUM, a, 0), LN_SHAPE(3, 2), 8, 10, 12, 14, 16, 18);
  EXPECT(reduce(LN_OP_SUM, a, 1), LN_SHAPE(2, 2), 9, 12, 27, 30);
  EXPECT(reduce(LN_OP_SUM, a, 2), LN_SHAPE(2, 3), 3, 7, 11, 15, 19, 23);
  EXPECT(reduce(LN_OP_MEAN, a, 1), LN_SHAPE(2, 2), 3, 4, 9, 10);
  EXPECT(reduce(LN_OP_MAX, a, 1), LN_SHAPE(2, 2), 5, 6, 11, 12);
  EXPECT(reduce(LN_OP_ARGMAX, a, 1), LN_SHAPE(2, 2), 2, 2, 2, 2);
  EXPECT(reduce(LN_OP_MIN, a, 2), LN_SHAPE(2, 3), 1, 3, 5, 7, 9, 11);
  ck_assert(reduce_all(LN_OP_SUM, a) == 78);
  ck_assert(reduce_all(LN_OP_MEAN, a) == 6.5);
  ck_assert(reduce_all(LN_OP_MAX, a) == 12);
  ck_assert(reduce_all(LN_OP_ARGMAX, a) == 11);
  ck_ok(ln_tensor_narrow(a, 2, 1, 1, &part));
  EXPECT(reduce(LN_OP_SUM, part, 1), LN_SHAPE(2, 1), 12, 30);
  ck_assert(reduce_all(LN_OP_SUM, part) == 42);
  ln_tensor_release(a), ln_tensor_release(part);
}
END_TEST

/* Float sums of ones stick at 2^24; these go on. And every length. */
START_TEST(sums_are_carried_in_double) {
  ln_shape shape = LN_SHAPE((1 << 24) + 5);
  ln_tensor *ones;
  ck_ok(ln_tensor_full(&shape, 1, &ones));
  ck_assert(reduce_all(LN_OP_SUM, ones) == (1 << 24) + 5);
  ln_tensor_release(ones);
  for (int64_t n = 0; n < 40; n++) {
    ln_tensor *t = make(LN_SHAPE(n), NULL);
    ck_assert(reduce_all(LN_OP_SUM, t) == (double)(n * (n + 1) / 2));
    ln_tensor_release(t);
  }
}
END_TEST

START_TEST(wide_tensors_reduce_by_column) {
  ln_tensor *a = make(LN_SHAPE(3, 150), NULL);
  ln_tensor *y = reduce(LN_OP_SUM, a, 0);
  for (int i = 0; i < 150; i++) ck_assert(y->data[i] == (float)(3 * i + 453));
  ln_tensor_release(a), ln_tensor_release(y);
}
END_TEST

START_TEST(nothing_reduces_to_0_or_nan_or_a_refusal) {
  ln_tensor *e = make(LN_SHAPE(2, 0), NULL), *y;
  EXPECT(reduce(LN_OP_SUM, e, 1), LN_SHAPE(2), 0, 0);
  EXPECT(reduce(LN_OP_MEAN, e, 1), LN_SHAPE(2), NAN, NAN);
  EXPECT(reduce(LN_OP_MAX, e, 0), LN_SHAPE(0), 0);
  ck_refused(ln_tensor_reduce(LN_OP_ARGMAX, e, 1, &y),
             "argmax of nothing: there is no element to choose from in shape "
             "(2,0)");
  ck_refused(ln_tensor_reduce(LN_OP_SUM, e, 2, &y), "sum: there is no dim 3");
  ck_assert(reduce_all(LN_OP_SUM, e) == 0);
  ck_assert(isnan(reduce_all(LN_OP_MEAN, e)));
  double unused;
  ck_refused(ln_tensor_reduce_all(LN_OP_MIN, e, &unused), "min of nothing");
  ln_tensor_release(e);
}
END_TEST

RUN_TESTS("tensors: elementwise and reductions", pairs, broadcasting,
          broadcasting_of_four_dims, shapes_that_do_not_meet, a_nan_wins,
          single_elements, reductions, sums_are_carried_in_double,
          wide_tensors_reduce_by_column,
          nothing_reduces_to_0_or_nan_or_a_refusal)
