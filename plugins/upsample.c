/* upsample.c - make each image larger (or smaller).
 *
 * Forward   nearest   y[n,c,oy,ox] = x[n,c, floor(oy*H/OH), floor(ox*W/OW)]
 *           bilinear  y[n,c,oy,ox] = the straight lines between the four pixels
 *                     around the point (oy + 1/2)*H/OH - 1/2, (ox + 1/2)*W/OW -
 *                     1/2; beyond the outer pixels, those themselves
 * Shapes    x (N,C,H,W)  y (N,C,OH,OW); OH and OW are the option size, or
 *           scale_factor times H and W
 * Backward  dx: each dy flows back to the pixels it was made of, with the same
 *           weights
 * Source    PyTorch's interpolate; bilinear is its align_corners = false:
 *           pixels are squares, and the corners of both images meet
 */
#include <string.h>

#include <lunet/plugin.h>

typedef struct upsample {
  int64_t size[2], scale_factor[2]; /* rows, columns; 0: not given */
  int mode;
} upsample;

enum { NEAREST, BILINEAR };

#define MOST      65535
#define MOST_SIDE ((int64_t)1 << 40) /* times MOST it is still an int64_t */

static const ln_option options[] = {
  LN_ONE_OF("size|scale_factor"),
  LN_INTS(upsample, size, LN_UNSET, 1, MOST,
          "size of y, OH x OW: one number or {rows, columns}"),
  LN_INTS(upsample, scale_factor, LN_UNSET, 1, MOST,
          "how many times larger: a whole number or {rows, columns}"),
  LN_CHOICE(upsample, mode, "nearest", "nearest|bilinear",
            "copies of the pixels, or straight lines between them"),
};

static ln_status infer(const void *self, ln_infer *io) {
  const upsample *o = self;
  const int64_t *x = io->x[0].dim;
  int64_t *y = io->y[0].dim;
  for (int d = 0; d < 2; d++) {
    if (x[2 + d] < 1 || x[2 + d] > MOST_SIDE)
      return ln_fail(io->host,
                     "images of %" PRId64 " x %" PRId64 " pixels: each side "
                     "must have 1 to 2^40 of them",
                     x[2], x[3]);
    y[2 + d] = o->size[d] ? o->size[d] : o->scale_factor[d] * x[2 + d];
  }
  const double count =
      (double)y[0] * (double)y[1] * (double)y[2] * (double)y[3];
  io->flops = o->mode == BILINEAR ? 8 * count : count;
  io->flops_backward = io->flops;
  return LN_OK;
}

/* The letters of the head. A plane is one channel of one item. */
typedef struct sizes {
  int64_t planes, H, W, OH, OW;
} sizes;

static sizes sizes_of(const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .planes = x[0] * x[1], .H = x[2], .W = x[3], .OH = y[2], .OW = y[3]
  };
}

/* ---- nearest ------------------------------------------------------------- */

static int64_t nearest(int64_t place, int64_t in, int64_t out) {
  return place * in / out;
}

static void forward_nearest(const ln_call *call) {
  const sizes s = sizes_of(call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++)
        y[p][oy][ox] = x[p][nearest(oy, s.H, s.OH)][nearest(ox, s.W, s.OW)];
}

static void backward_nearest(const ln_call *call) {
  const sizes s = sizes_of(call);
  const float(*dy)[s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++)
        dx[p][nearest(oy, s.H, s.OH)][nearest(ox, s.W, s.OW)] += dy[p][oy][ox];
  }
}

/* ---- bilinear ------------------------------------------------------------ */

/* Along one dim, what a place of y is made of: the pixel before the point and
 * the one after it, with weights that add up to 1. */
typedef struct blend {
  int64_t pixel[2];
  float weight[2];
} blend;

static blend blend_of(int64_t place, int64_t in, int64_t out) {
  double point = ((double)place + 0.5) * (double)in / (double)out - 0.5;
  if (point < 0) point = 0;
  const int64_t before = (int64_t)point;
  const int64_t after = before + 1 < in ? before + 1 : before;
  const float weight = (float)(point - (double)before);
  return (blend){ { before, after }, { 1 - weight, weight } };
}

static void forward_bilinear(const ln_call *call) {
  const sizes s = sizes_of(call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        const blend rows = blend_of(oy, s.H, s.OH);
        const blend columns = blend_of(ox, s.W, s.OW);
        float sum = 0;
        for (int i = 0; i < 2; i++)
          for (int j = 0; j < 2; j++)
            sum += rows.weight[i] * columns.weight[j] *
                   x[p][rows.pixel[i]][columns.pixel[j]];
        y[p][oy][ox] = sum;
      }
}

static void backward_bilinear(const ln_call *call) {
  const sizes s = sizes_of(call);
  const float(*dy)[s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        const blend rows = blend_of(oy, s.H, s.OH);
        const blend columns = blend_of(ox, s.W, s.OW);
        for (int i = 0; i < 2; i++)
          for (int j = 0; j < 2; j++)
            dx[p][rows.pixel[i]][columns.pixel[j]] +=
                rows.weight[i] * columns.weight[j] * dy[p][oy][ox];
      }
  }
}

/* ---- both ---------------------------------------------------------------- */

static ln_status forward(const void *self, const ln_call *call) {
  if (((const upsample *)self)->mode == BILINEAR)
    forward_bilinear(call);
  else
    forward_nearest(call);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  if (((const upsample *)self)->mode == BILINEAR)
    backward_bilinear(call);
  else
    backward_nearest(call);
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "upsample",
  .brief = "makes each image larger: copies of its pixels, or lines between",
  .formula = "nearest: y[n,c,oy,ox] = x[n,c, floor(oy*H/OH), floor(ox*W/OW)]; "
             "bilinear: straight lines between the four pixels around",
  .example = "nn.upsample{ scale_factor = 2 }"
             ":forward(lunet.randn{ 2, 3, 4, 4 })",
  .inputs = "x(N,C,H,W)",
  .outputs = "y(N,C,OH,OW)",
  LN_OPTIONS(upsample, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("upsample", "1.0", &layer);
