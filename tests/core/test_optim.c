/* Optimizers: two steps of each rule by its formula, worked here in double
 * for one weight; clipping; refusals; the same bits for any threads. */
#include "core_support.h"

/* Weight 2, gradient 0.5 in the first step and -0.25 in the second. */
static const double GRADIENT[] = { 0.5, -0.25 };

typedef struct fixture {
  ln_tensor *w, *dw;
  ln_optimizer *o;
} fixture;

static ln_named_value number(const char *name, double value) {
  return (ln_named_value){ name, { .kind = LN_VALUE_NUMBER, .number = value } };
}

static ln_named_value yes(const char *name) {
  return (ln_named_value){ name, { .kind = LN_VALUE_BOOL, .truth = true } };
}

static void begin(fixture *f, const char *rule, const ln_named_value *options,
                  int64_t n) {
  f->w = MAKE(LN_SHAPE(1), 2);
  f->dw = MAKE(LN_SHAPE(1), 0);
  ck_ok(ln_optimizer_new(rule, &f->w, &f->dw, 1, options, n, &f->o));
}

static void end(fixture *f) {
  ln_optimizer_free(f->o);
  ln_tensor_release(f->w), ln_tensor_release(f->dw);
}

/* Two steps; the weight after each. */
static void check_steps(const char *rule, const ln_named_value *options,
                        int64_t n, double first, double second) {
  fixture f;
  const double expected[] = { first, second };
  begin(&f, rule, options, n);
  for (int i = 0; i < 2; i++) {
    uint64_t version = ln_tensor_version(f.w);
    f.dw->data[0] = (float)GRADIENT[i];
    ck_ok(ln_optimizer_step(f.o));
    ck_assert_double_eq_tol((double)f.w->data[0], expected[i],
                            2e-6 * fabs(expected[i]));
    ck_assert_uint_gt(ln_tensor_version(f.w), version);
  }
  ck_assert_int_eq(ln_optimizer_steps(f.o), 2);
  end(&f);
}
#define STEPS(rule, first, second, ...)                                        \
  do {                                                                         \
    const ln_named_value options[] = { __VA_ARGS__ };                          \
    check_steps(rule, options, sizeof options / sizeof options[0], first,      \
                second);                                                       \
  } while (0)

START_TEST(sgd) {
  STEPS("sgd", 2 - 0.05, 1.95 + 0.025, number("lr", 0.1));
  double g1 = 0.5 + 0.1 * 2, w1 = 2 - 0.1 * g1;
  double g2 = -0.25 + 0.1 * w1, w2 = w1 - 0.1 * g2;
  STEPS("sgd", w1, w2, number("lr", 0.1), number("weight_decay", 0.1));
  w2 = w1 - 0.1 * (0.9 * g1 + g2);
  STEPS("sgd", w1, w2, number("lr", 0.1), number("weight_decay", 0.1),
        number("momentum", 0.9));
  w1 = 2 - 0.1 * (0.5 + 0.9 * 0.5);
  w2 = w1 - 0.1 * (-0.25 + 0.9 * (0.9 * 0.5 - 0.25));
  STEPS("sgd", w1, w2, number("lr", 0.1), number("momentum", 0.9),
        yes("nesterov"));
}
END_TEST

static double adam_move(double m, double v, int t, double lr) {
  return lr * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-3);
}

START_TEST(adam) {
  double g1 = 0.5 + 0.1 * 2, m = 0.1 * g1, v = 0.001 * g1 * g1;
  double w1 = 2 - adam_move(m, v, 1, 0.1), g2 = -0.25 + 0.1 * w1;
  m = 0.9 * m + 0.1 * g2;
  v = 0.999 * v + 0.001 * g2 * g2;
  STEPS("adam", w1, w1 - adam_move(m, v, 2, 0.1), number("lr", 0.1),
        number("eps", 1e-3), number("weight_decay", 0.1));
}
END_TEST

START_TEST(adamw) {
  double m = 0.1 * 0.5, v = 0.001 * 0.25;
  double w1 = 2 * (1 - 0.1 * 0.01) - adam_move(m, v, 1, 0.1);
  m = 0.9 * m + 0.1 * -0.25;
  v = 0.999 * v + 0.001 * 0.0625;
  double w2 = w1 * (1 - 0.1 * 0.01) - adam_move(m, v, 2, 0.1);
  STEPS("adamw", w1, w2, number("lr", 0.1), number("eps", 1e-3));
}
END_TEST

START_TEST(rmsprop) {
  double v1 = 0.1 * 0.25, v2 = 0.9 * v1 + 0.1 * 0.0625;
  double d1 = 0.5 / (sqrt(v1) + 1e-3), d2 = -0.25 / (sqrt(v2) + 1e-3);
  STEPS("rmsprop", 2 - 0.1 * d1, 2 - 0.1 * (d1 + d2), number("lr", 0.1),
        number("alpha", 0.9), number("eps", 1e-3));
  STEPS("rmsprop", 2 - 0.1 * d1, 2 - 0.1 * (d1 + 0.5 * d1 + d2),
        number("lr", 0.1), number("alpha", 0.9), number("eps", 1e-3),
        number("momentum", 0.5));
  double m1 = 0.1 * 0.5, m2 = 0.9 * m1 + 0.1 * -0.25;
  d1 = 0.5 / (sqrt(v1 - m1 * m1) + 1e-3);
  d2 = -0.25 / (sqrt(v2 - m2 * m2) + 1e-3);
  STEPS("rmsprop", 2 - 0.1 * d1, 2 - 0.1 * (d1 + d2), number("lr", 0.1),
        number("alpha", 0.9), number("eps", 1e-3), yes("centered"));
  STEPS("rmsprop", 2 - 0.1 * d1, 2 - 0.1 * (d1 + 0.5 * d1 + d2),
        number("lr", 0.1), number("alpha", 0.9), number("eps", 1e-3),
        number("momentum", 0.5), yes("centered"));
}
END_TEST

START_TEST(adagrad) {
  double s1 = 1 + 0.25, s2 = s1 + 0.0625;
  double w1 = 2 - 0.1 * 0.5 / (sqrt(s1) + 1e-3);
  double w2 = w1 + 0.1 / 1.5 * 0.25 / (sqrt(s2) + 1e-3);
  STEPS("adagrad", w1, w2, number("lr", 0.1), number("lr_decay", 0.5),
        number("eps", 1e-3), number("initial_accumulator_value", 1));
}
END_TEST

START_TEST(defaults_are_pytorchs) {
  const char *const rules[] = { "sgd", "adam", "adamw", "rmsprop", "adagrad" };
  const double lr[] = { 1e-3, 1e-3, 1e-3, 1e-2, 1e-2 };
  for (int i = 0; i < 5; i++) {
    fixture f;
    begin(&f, rules[i], NULL, 0);
    ck_assert_double_eq(ln_optimizer_lr(f.o), lr[i]);
    end(&f);
  }
  STEPS("adagrad", 2 - 0.01, 2 - 0.01 + 0.01 * 0.25 / sqrt(0.3125),
        number("lr_decay", 0));
}
END_TEST

START_TEST(lr_can_change) {
  fixture f;
  begin(&f, "sgd", NULL, 0);
  ck_ok(ln_optimizer_set_lr(f.o, 0.5));
  ck_assert_double_eq(ln_optimizer_lr(f.o), 0.5);
  f.dw->data[0] = 2;
  ck_ok(ln_optimizer_step(f.o));
  ck_assert(f.w->data[0] == 1);
  ck_refused(ln_optimizer_set_lr(f.o, NAN), "sgd: lr is nan");
  ck_refused(ln_optimizer_set_lr(f.o, -1), "sgd: lr is -1");
  ln_optimizer_zero_grad(f.o);
  ck_assert(f.dw->data[0] == 0);
  end(&f);
}
END_TEST

/* Buffers and the number of steps are all that a checkpoint needs. */
START_TEST(a_step_resumes) {
  const ln_named_value options[] = { number("lr", 0.1) };
  fixture a, b;
  const char *name;
  begin(&a, "adam", options, 1);
  begin(&b, "adam", options, 1);
  a.dw->data[0] = 0.5f;
  ck_ok(ln_optimizer_step(a.o));
  ck_ok(ln_tensor_copy(b.w, a.w));
  for (int64_t s = 0; ln_optimizer_buffer(a.o, 0, s, &name); s++)
    ck_ok(ln_tensor_copy(ln_optimizer_buffer(b.o, 0, s, &name),
                         ln_optimizer_buffer(a.o, 0, s, &name)));
  ck_assert_str_eq(name, "exp_avg_sq");
  ln_optimizer_set_steps(b.o, ln_optimizer_steps(a.o));
  a.dw->data[0] = b.dw->data[0] = -0.25f;
  ck_ok(ln_optimizer_step(a.o));
  ck_ok(ln_optimizer_step(b.o));
  ck_assert(a.w->data[0] == b.w->data[0]);
  end(&a), end(&b);
}
END_TEST

START_TEST(refusals_teach) {
  ln_tensor *w = make(LN_SHAPE(2), NULL), *g = make(LN_SHAPE(3), NULL);
  const ln_named_value nesterov[] = { yes("nesterov") };
  ln_optimizer *o;
  ck_refused(ln_optimizer_new("sdg", &w, &w, 1, NULL, 0, &o),
             "there is no optimizer 'sdg'; did you mean 'sgd'?");
  ck_refused(ln_optimizer_new("sgd", &w, &w, 1, nesterov, 1, &o),
             "but momentum is 0");
  ck_refused(ln_optimizer_new("sgd", &w, &g, 1, NULL, 0, &o),
             "sgd: parameter 1 has shape (2), but its gradient has shape (3)");
  ln_tensor_release(w), ln_tensor_release(g);
}
END_TEST

/* Many parameters of all sizes, so that pieces and tasks begin everywhere. */
enum { PARAMETERS = 40 };

static void train(int threads, float *last) {
  ln_tensor *w[PARAMETERS], *g[PARAMETERS];
  ln_optimizer *o;
  ck_ok(ln_set_num_threads(threads));
  ln_manual_seed(5);
  for (int i = 0; i < PARAMETERS; i++) {
    ln_shape shape = LN_SHAPE(i == 7 ? 100000 : i * 531);
    ck_ok(ln_tensor_randn(&shape, &w[i]));
    ck_ok(ln_tensor_randn(&shape, &g[i]));
  }
  ck_ok(ln_optimizer_new("adam", w, g, PARAMETERS, NULL, 0, &o));
  for (int step = 0; step < 3; step++) ck_ok(ln_optimizer_step(o));
  for (int i = 0; i < PARAMETERS; i++) {
    memcpy(last, w[i]->data, (size_t)w[i]->count * sizeof(float));
    last += w[i]->count;
    ln_tensor_release(w[i]), ln_tensor_release(g[i]);
  }
  ln_optimizer_free(o);
}

START_TEST(the_same_bits_for_any_number_of_threads) {
  enum { ALL = 100000 + 531 * (39 * 20 - 7) };
  static float alone[ALL], together[ALL];
  train(1, alone);
  for (int threads = 2; threads <= 7; threads += 5) {
    train(threads, together);
    ck_assert_int_eq(memcmp(alone, together, sizeof alone), 0);
  }
}
END_TEST

START_TEST(clipping_keeps_the_direction) {
  ln_tensor *g[] = { MAKE(LN_SHAPE(1), 3), MAKE(LN_SHAPE(1), 4) };
  double norm;
  ck_ok(ln_clip_grad_norm(g, 2, 10, &norm));
  ck_assert_double_eq(norm, 5);
  ck_assert(g[0]->data[0] == 3 && g[1]->data[0] == 4);
  uint64_t version = ln_tensor_version(g[0]);
  ck_ok(ln_clip_grad_norm(g, 2, 1, &norm));
  ck_assert_double_eq(norm, 5);
  ck_assert_float_eq_tol(g[0]->data[0], 0.6f, 1e-6f);
  ck_assert_float_eq_tol(g[1]->data[0], 0.8f, 1e-6f);
  ck_assert_uint_gt(ln_tensor_version(g[0]), version);
  g[0]->data[0] = NAN;
  ck_ok(ln_clip_grad_norm(g, 2, 0.1, &norm));
  ck_assert(isnan(norm) && g[1]->data[0] > 0.79f);
  ck_refused(ln_clip_grad_norm(g, 2, -1, &norm), "max_norm is -1");
  ln_tensor_release(g[0]), ln_tensor_release(g[1]);
}
END_TEST

START_TEST(the_norm_counts_every_element) {
  for (int64_t n = 0; n < 40; n++) {
    ln_shape shape = LN_SHAPE(n);
    ln_tensor *g;
    double norm;
    ck_ok(ln_tensor_full(&shape, 2, &g));
    ck_ok(ln_clip_grad_norm(&g, 1, 100, &norm));
    ck_assert_double_eq_tol(norm, 2 * sqrt((double)n), 1e-12);
    ln_tensor_release(g);
  }
}
END_TEST

RUN_TESTS("optimizers", sgd, adam, adamw, rmsprop, adagrad,
          defaults_are_pytorchs, lr_can_change, a_step_resumes, refusals_teach,
          the_same_bits_for_any_number_of_threads, clipping_keeps_the_direction,
          the_norm_counts_every_element)
