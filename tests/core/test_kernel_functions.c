/* The functions of lunet/kernels/functions.h against the C library in double,
 * over all signs and exponents, at the bounds that the header states. */
#include "core_support.h"
#include <lunet/kernels/functions.h>

/* How many units in the last place of the float nearest to `exact` lie
 * between; what a float holds only as a denormal may also be 0. */
static double distance(double exact, float got) {
  if (isnan(exact)) return isnan(got) ? 0 : INFINITY;
  if (isinf((float)exact) && exact == (double)(float)exact)
    return got == (float)exact ? 0 : INFINITY;
  if (fabs(exact) < 0x1p-126)
    return fabs((double)got) <= 0x1p-126 ? 0 : INFINITY;
  if (isinf(got)) return fabs(exact) > 0x1.fffffep127 ? 0 : INFINITY;
  int exponent;
  frexp(exact, &exponent);
  return fabs((double)got - exact) / ldexp(1, exponent - 24);
}

/* One float in so many; an odd number, so that all exponents and signs come by
 * with ever other digits. */
enum { STEP = 16411 };

static void check_error(const char *name, float (*function)(float),
                        double (*reference)(double), double bound) {
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += STEP) {
    const float x = ln_of_bits_((uint32_t)bits), y = function(x);
    const double off = distance(reference((double)x), y);
    if (off > bound)
      ck_abort_msg("%s(%a) is %a, %g ulp off", name, (double)x, (double)y, off);
  }
}

static double expm1_to_88(double x) {
  return x > 88 ? INFINITY : expm1(x);
}
static double sigmoid(double x) {
  return 1 / (1 + exp(-x));
}
static double softplus(double x) {
  return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double normal_chance(double x) {
  return 0.5 * erfc(-x * M_SQRT1_2);
}
static double normal_density(double x) {
  return exp(-0.5 * x * x) / sqrt(2 * M_PI);
}

START_TEST(errors_stay_below_the_stated_bounds) {
  check_error("ln_exp", ln_exp, exp, 1.5);
  check_error("ln_expm1", ln_expm1, expm1_to_88, 2);
  check_error("ln_tanh", ln_tanh, tanh, 2.5);
  check_error("ln_sigmoid", ln_sigmoid, sigmoid, 2.5);
  check_error("ln_softplus", ln_softplus, softplus, 3);
  check_error("ln_normal_chance", ln_normal_chance, normal_chance, 7);
  check_error("ln_normal_density", ln_normal_density, normal_density, 2.5);
}
END_TEST

START_TEST(limits_are_exact) {
  ck_assert(ln_exp(0) == 1 && ln_exp(-INFINITY) == 0);
  ck_assert(isinf(ln_exp(INFINITY)) && isinf(ln_exp(88.8f)));
  ck_assert(ln_expm1(0) == 0 && ln_expm1(-INFINITY) == -1);
  ck_assert(isinf(ln_expm1(INFINITY)));
  ck_assert(ln_tanh(INFINITY) == 1 && ln_tanh(-INFINITY) == -1);
  ck_assert(ln_tanh(0.0f) == 0 && signbit(ln_tanh(-0.0f)));
  ck_assert(ln_sigmoid(INFINITY) == 1 && ln_sigmoid(-INFINITY) == 0);
  ck_assert(isinf(ln_softplus(INFINITY)) && ln_softplus(-INFINITY) == 0);
  ck_assert(ln_normal_chance(INFINITY) == 1);
  ck_assert(fabsf(ln_normal_chance(-INFINITY)) < 0x1p-126f);
  ck_assert(ln_normal_density(INFINITY) < 0x1p-126f);
}
END_TEST

static void check_nan(float x) {
  ck_assert(isnan(ln_exp(x)) && isnan(ln_expm1(x)) && isnan(ln_tanh(x)));
  ck_assert(isnan(ln_sigmoid(x)) && isnan(ln_softplus(x)));
  ck_assert(isnan(ln_normal_chance(x)) && isnan(ln_normal_density(x)));
}

START_TEST(every_nan_stays_one) {
  check_nan(NAN);
  check_nan(-NAN);
  check_nan(ln_of_bits_(0x7f800001)); /* the smallest bits of a NaN */
  check_nan(ln_of_bits_(0xffffffff)); /* and the largest */
}
END_TEST

RUN_TESTS("kernels: functions", errors_stay_below_the_stated_bounds,
          limits_are_exact, every_nan_stays_one)
