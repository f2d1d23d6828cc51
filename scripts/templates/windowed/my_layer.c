/* my_layer.c - the mean of each window of an image.
 *
 * Forward   y[n,c,oy,ox] = (1 / K^2) * sum over ky,kx of
 *                          x[n,c, oy*S + ky - P, ox*S + kx - P]
 * Shapes    x (N,C,H,W)  y (N,C,OH,OW)
 *           OH = floor((H + 2P - K) / S) + 1, OW likewise; x is 0 outside
 * Backward  dx: each dy flows back to all pixels of its window, 1 / K^2 each
 *
 * This layer works as it stands. To make it yours, go through the steps 1 to 6
 * and keep the lines above in step with the code. After each step
 *
 *     lunet check-plugin my_layer.c
 *     lunet build-plugin my_layer.c && lunet test_my_layer.lua
 */
#include <string.h>

#include <lunet/plugin.h>

/* 1. The options: a field for each, then a row for each. Those of a window have
 *    one number for rows and one for columns. */
typedef struct my_layer {
  int64_t kernel_size[2], stride[2], padding[2];
} my_layer;

static const ln_option options[] = {
  LN_INTS(my_layer, kernel_size, LN_REQUIRED, 1, 1000,
          "size of the window, K: one number or {rows, columns}"),
  LN_INTS_LIKE(my_layer, stride, kernel_size, 1, 1000,
               "step of the window, S; left out, as large as the window"),
  LN_INTS(my_layer, padding, 0, 0, 1000, "zeros on each side, P"),
};

/* 2. Shapes: ln_slide sets OH and OW by the formula above and refuses what
 *    does not fit. The cost is a help for summaries; a multiply-add is 2. */
static ln_status infer(const void *self, ln_infer *io) {
  const my_layer *o = self;
  if (ln_slide(io, 2, o->kernel_size, o->stride, NULL, o->padding, NULL, false,
               false) != LN_OK)
    return LN_FAILED;
  io->flops = (double)ln_count(&io->y[0]) *
              (double)(o->kernel_size[0] * o->kernel_size[1]);
  io->flops_backward = io->flops;
  return LN_OK;
}

/* The pixels [begin, end) of one dim that a window sees. */
typedef struct span {
  int64_t begin, end;
} span;

static span span_of(const my_layer *o, int d, int64_t place, int64_t size) {
  const int64_t begin = place * o->stride[d] - o->padding[d];
  const int64_t end = begin + o->kernel_size[d];
  return (span){ begin < 0 ? 0 : begin, end > size ? size : end };
}

/* 3. Forward: set every element of y. A plane is one channel of one item;
 *    x[p][iy][ix] is the pixel in row iy, column ix of plane p. */
static ln_status forward(const void *self, const ln_call *call) {
  const my_layer *o = self;
  const int64_t H = ln_x_dim(call, 0, 2), W = ln_x_dim(call, 0, 3);
  const int64_t OH = ln_y_dim(call, 0, 2), OW = ln_y_dim(call, 0, 3);
  const int64_t planes = ln_x_dim(call, 0, 0) * ln_x_dim(call, 0, 1);
  const float area = (float)(o->kernel_size[0] * o->kernel_size[1]);
  const float(*x)[H][W] = (void *)ln_x(call, 0);
  float(*y)[OH][OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < planes; p++)
    for (int64_t oy = 0; oy < OH; oy++)
      for (int64_t ox = 0; ox < OW; ox++) {
        const span rows = span_of(o, 0, oy, H), columns = span_of(o, 1, ox, W);
        float sum = 0;
        for (int64_t iy = rows.begin; iy < rows.end; iy++)
          for (int64_t ix = columns.begin; ix < columns.end; ix++)
            sum += x[p][iy][ix];
        y[p][oy][ox] = sum / area;
      }
  return LN_OK;
}

/* 4. Backward: windows may overlap, so clear dx, then add what each window
 *    gives back to its pixels. */
static ln_status backward(const void *self, const ln_call *call) {
  const my_layer *o = self;
  const int64_t H = ln_x_dim(call, 0, 2), W = ln_x_dim(call, 0, 3);
  const int64_t OH = ln_y_dim(call, 0, 2), OW = ln_y_dim(call, 0, 3);
  const int64_t planes = ln_x_dim(call, 0, 0) * ln_x_dim(call, 0, 1);
  const float area = (float)(o->kernel_size[0] * o->kernel_size[1]);
  const float(*dy)[OH][OW] = (void *)ln_dy(call, 0);
  float(*dx)[H][W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < OH; oy++)
      for (int64_t ox = 0; ox < OW; ox++) {
        const span rows = span_of(o, 0, oy, H), columns = span_of(o, 1, ox, W);
        for (int64_t iy = rows.begin; iy < rows.end; iy++)
          for (int64_t ix = columns.begin; ix < columns.end; ix++)
            dx[p][iy][ix] += dy[p][oy][ox] / area;
      }
  }
  return LN_OK;
}

/* 5. What others read about the layer, and its promises. LN_PER_SAMPLE: each
 *    item of the batch is on its own. LN_FORGETS_X, _Y: backward does not read
 *    the numbers of x, of y. LN_LINEAR: y is linear in x. A layer with kinks,
 *    such as a maximum, has LN_NONSMOOTH instead. In doubt leave a promise
 *    out: the layer is right without, only slower. */
static const ln_layer layer = {
  LN_LAYER,
  .name = "my_layer",
  .brief = "the mean of each window",
  .formula = "y[n,c,oy,ox] = (1 / K^2) * sum over ky,kx of "
             "x[n,c, oy*S + ky - P, ox*S + kx - P]",
  .example = "nn.my_layer{ kernel_size = 2 }"
             ":forward(lunet.randn{ 2, 3, 6, 6 })",
  .inputs = "x(N,C,H,W)",
  .outputs = "y(N,C,OH,OW)",
  LN_OPTIONS(my_layer, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};

/* 6. The file's own name and version, and its layers: one or more. */
LN_PLUGIN("my_layer", "1.0", &layer);
