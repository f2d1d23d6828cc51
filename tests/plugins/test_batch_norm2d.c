/* test_batch_norm2d.c - the numbers that batch norm hands to neighbours that
 * do its passes are those of its own forward and backward. */
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lunet/plugin.h>

#include "core_support.h"

enum { N = 3, C = 2, P = 5, COUNT = N * C * P };

/* A call on images (N,C,1,P), with all that it points to. */
typedef struct bench {
  const ln_layer *layer;
  void *self;
  float x[COUNT], y[COUNT], dy[COUNT], dx[COUNT];
  float w[2][C], dw[2][C], state[2][C];
  ln_tensor tensors[10];
  const ln_tensor *list[10];
  double saved[64];
  ln_call call;
} bench;

/* The options of the layer, as its table says where they lie. */
static void set_option(bench *b, const char *name, double value) {
  const ln_option *rows = b->layer->options.at;
  for (uint32_t i = 0; i < b->layer->options.count; i++) {
    char *field = (char *)b->self + rows[i].offset;
    if (strcmp(rows[i].name, name) != 0) continue;
    if (rows[i].type == LN_T_INT) *(int64_t *)(void *)field = (int64_t)value;
    if (rows[i].type == LN_T_REAL) *(double *)(void *)field = value;
    if (rows[i].type == LN_T_BOOL) *(bool *)(void *)field = value != 0;
  }
}

static void point(bench *b, int i, ln_shape shape, float *data) {
  b->tensors[i] = (ln_tensor){ .struct_size = (uint32_t)sizeof(ln_tensor),
                               .shape = shape,
                               .count = ln_count(&shape),
                               .data = data };
  b->list[i] = &b->tensors[i];
}

static void set_up(bench *b, bool training) {
  void *file = dlopen(PLUGIN_FOLDER "/batch_norm2d.so", RTLD_NOW);
  ck_assert_ptr_nonnull(file);
  const ln_plugin *plugin = dlsym(file, "lunet_plugin_v1");
  b->layer = plugin->layers[0];
  b->self = calloc(1, b->layer->self_size);
  set_option(b, "num_features", C);
  set_option(b, "eps", 0.1);
  set_option(b, "momentum", 0.25);
  set_option(b, "affine", 1);
  for (int i = 0; i < COUNT; i++) {
    b->x[i] = sinf((float)(7 * i)) + 3;
    b->dy[i] = cosf((float)(5 * i));
  }
  const ln_shape images = LN_SHAPE(N, C, 1, P), channels = LN_SHAPE(C);
  point(b, 0, images, b->x);
  point(b, 1, images, b->y);
  point(b, 2, images, b->dy);
  point(b, 3, images, b->dx);
  for (int i = 0; i < 2; i++) {
    point(b, 4 + i, channels, b->w[i]);
    point(b, 6 + i, channels, b->dw[i]);
    point(b, 8 + i, channels, b->state[i]);
    for (int c = 0; c < C; c++) {
      b->w[i][c] = 1.5f + (float)(i + c);
      b->state[i][c] = 2 + (float)(i - c);
    }
  }
  b->call = (ln_call){ .struct_size = (uint32_t)sizeof(ln_call),
                       .training = training,
                       .n_x = 1,
                       .n_y = 1,
                       .n_w = 2,
                       .n_state = 2,
                       .x = b->list,
                       .y = b->list + 1,
                       .dy = b->list + 2,
                       .dx = b->list + 3,
                       .w = b->list + 4,
                       .dw = b->list + 6,
                       .state = b->list + 8,
                       .saved = b->saved };
}

/* Of v and of v * z over each channel. */
static void sum(const float *v, const float *z, double sums[C][2]) {
  for (int i = 0; i < COUNT; i++) {
    double *of = sums[i / P % C];
    of[0] += v[i];
    of[1] += (double)v[i] * z[i];
  }
}

static void assert_near(const float *a, const float *b, int count) {
  for (int i = 0; i < count; i++) ck_assert_float_eq_tol(a[i], b[i], 1e-5f);
}

static void check_both_passes(bool training) {
  bench own = { 0 }, other = { 0 };
  set_up(&own, training);
  set_up(&other, training);
  own.layer->forward(own.self, &own.call);
  own.layer->backward(own.self, &own.call);

  double x[C][2] = { 0 }, dy[C][2] = { 0 };
  float out[3][C], y[COUNT], dx[COUNT];
  sum(other.x, other.x, x);
  ck_assert_int_eq(
      own.layer->normalise(other.self, &other.call, x[0], N * P, out[0]),
      LN_OK);
  for (int i = 0; i < COUNT; i++)
    y[i] = out[0][i / P % C] * other.x[i] + out[1][i / P % C];
  sum(other.dy, other.x, dy);
  ck_assert_int_eq(own.layer->normalise_backward(other.self, &other.call, dy[0],
                                                 N * P, out[0]),
                   LN_OK);
  for (int i = 0; i < COUNT; i++)
    dx[i] = out[0][i / P % C] * other.dy[i] + out[1][i / P % C] * other.x[i] +
            out[2][i / P % C];

  assert_near(y, own.y, COUNT);
  assert_near(dx, own.dx, COUNT);
  assert_near(other.dw[0], own.dw[0], 2 * C);
  assert_near(other.state[0], own.state[0], 2 * C);
  free(own.self);
  free(other.self);
}

START_TEST(training_passes_from_sums) {
  check_both_passes(true);
}
END_TEST

START_TEST(evaluation_passes_from_sums) {
  check_both_passes(false);
}
END_TEST

RUN_TESTS("batch_norm2d", training_passes_from_sums,
          evaluation_passes_from_sums)
