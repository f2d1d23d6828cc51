/* lunet/plugin.h - how a layer is written. Layer ABI 1.0, C11 and C++14.
 *
 * A layer is a struct of options, a few functions, and a table that names
 * them. A whole plugin is built by
 *
 *     cc -shared -fPIC -O2 swish.c -o swish.so
 *
 * and used by  nn.swish{}  once swish.so lies in LUNET_PLUGIN_PATH.
 *
 * The life of  y = nn.swish{ beta = 2 }(x);  what stands in [ ] is optional:
 *
 *   options     the host checks them and writes them into your struct
 *   [create]    once: check combinations of options
 *   [params]    once: declare weights and state, a function of the options
 *   [infer]     for each new input shape: output shapes, memory, cost
 *   forward     y from x
 *   backward    dx and dw from dy, after a forward
 *   [destroy]
 *
 * The rules, all of them:
 *
 *   Tensors   float32, row by row (C order), images as (N,C,H,W). Dim 0 is
 *             the batch; it changes from call to call and may be 0. A tensor
 *             may begin at any float: use unaligned loads. No byte behind
 *             its last element may be read.
 *   Writing   y, dx, dw and workspace hold garbage when you get them: set
 *             every element with `=`. The host adds up where a value is used
 *             twice. x, w, dy and (in backward) y are only read.
 *   Memory    Who allocates frees. Of what a callback gets, only `self` and
 *             `host` outlive the call. forward and backward allocate nothing:
 *             ask for memory in infer.
 *   Threads   self is const while computing: no globals, no hidden state.
 *             One callback at a time per instance, unless you promise
 *             LN_PER_SAMPLE: then the host runs several parts of the batch at
 *             once. Services marked [any] may be called from any thread.
 *   Results   the same bits whatever the number of threads. What the host
 *             splits, it splits by shape, never by the number of threads.
 *   Failing   return ln_fail(host, "a sentence: the rule with the numbers").
 *             Never exit, print, throw, longjmp; never touch signals, locale
 *             or rounding mode.
 *
 * How the ABI grows: every struct but ln_shape, ln_list and ln_array says its
 * own size, every array the size of its elements, and fields are only ever
 * appended. A host reads what a plugin has, and nulls stand for the rest; a
 * plugin asks LN_HAS before it uses anything newer than 1.0.
 */
#ifndef LUNET_PLUGIN_H
#define LUNET_PLUGIN_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ==== 1. Basics ======================================================== */

#define LN_ABI_MINOR 0        /* a new major has another symbol, see the end */
#define LN_MAGIC 0x54454E4Cu  /* the letters LNET */
#define LN_MAX_DIMS 8

/* Does the struct that p points to have this field? */
#define LN_HAS(p, type, field) \
  ((p)->struct_size >= offsetof(type, field) + sizeof((p)->field))

#ifdef __GNUC__
#define LN_EXPORT __attribute__((visibility("default")))
#define LN_LIKE_PRINTF __attribute__((format(printf, 2, 3)))
#else
#define LN_EXPORT
#define LN_LIKE_PRINTF
#endif

typedef int32_t ln_status;
enum {
  LN_OK = 0,
  LN_FAILED = -1,    /* what ln_fail returns: a sentence has been left */
  LN_CANCELLED = -2, /* the user pressed Ctrl-C, see `cancelled` */
  LN_UNSUITED = -3   /* from a method's plan: not for these shapes */
};

/* An array in a descriptor: where, how many, and how large an element is. */
typedef struct ln_array {
  const void *at;
  uint32_t count, size;
} ln_array;
#define LN_ARRAY(a) \
  { (a), (uint32_t)(sizeof(a) / sizeof((a)[0])), (uint32_t)sizeof((a)[0]) }

/* ==== 2. Shapes and tensors ============================================ */

typedef struct ln_shape {
  int32_t rank; /* number of dims; 0: a single number */
  int32_t dtype, layout, reserved; /* 0 in version 1: float32, row by row */
  int64_t dim[LN_MAX_DIMS];
} ln_shape;

/* A few whole numbers: the field of an LN_LIST option. */
typedef struct ln_list {
  int64_t count;
  int64_t at[LN_MAX_DIMS];
} ln_list;

/* Made by the host only. */
typedef struct ln_tensor {
  uint32_t struct_size, reserved;
  ln_shape shape;
  int64_t count; /* number of elements */
  float *data;
} ln_tensor;

/* A shape as a value: LN_SHAPE(out_features, in_features). */
#define LN_9TH_(a, b, c, d, e, f, g, h, n, ...) n
#define LN_RANK_(...) LN_9TH_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#ifdef __cplusplus
#define LN_SHAPE(...) \
  (ln_shape{ LN_RANK_(__VA_ARGS__), 0, 0, 0, { __VA_ARGS__ } })
#else
#define LN_SHAPE(...) \
  ((ln_shape){ LN_RANK_(__VA_ARGS__), 0, 0, 0, { __VA_ARGS__ } })
#endif

/* The number of elements of a shape. */
static inline int64_t ln_count(const ln_shape *s) {
  int64_t n = 1;
  for (int32_t i = 0; i < s->rank; i++) n *= s->dim[i];
  return n;
}

/* ==== 3. Options ======================================================= */

/* Your struct T holds a field for each option; the field's name is the
 * option's name in Lua. The table alone feeds parsing, range errors, "did you
 * mean", help, checkpoints and the docs. The field's C type is checked by the
 * compiler (in C++ its size by the host).
 *
 *   row        field of T       in Lua
 *   LN_INT     int64_t or int   a whole number
 *   LN_REAL    double or float  a number
 *   LN_BOOL    bool or int      true, false
 *   LN_INTS    int64_t f[n]     n whole numbers, or one that fills all
 *   LN_REALS   double f[n]      n numbers, or one that fills all
 *   LN_LIST    ln_list          one to eight whole numbers, or one
 *   LN_CHOICE  int              one of the words "a|b|c", stored as 0, 1, 2
 *   LN_TEXT    const char *     any text; the host keeps it
 *
 * and two rows for defaults and values that need more to say:
 *
 *   LN_INTS_LIKE     as LN_INTS; left out, it equals another option, as a
 *                    pool's stride equals its kernel_size
 *   LN_INTS_OR_WORD  as LN_INTS, or one of the words "same|valid": the first
 *                    is stored as LN_WORD(0) in all n places, and so on
 *   LN_ONE_OF        "size|scale_factor": exactly one of them must be given
 *
 * `def` is the value of an option left out: a number (for LN_REALS a text,
 * "0.9 0.999"; for LN_CHOICE one of the words) or one of
 */
#define LN_REQUIRED 3e300   /* it must be given */
#define LN_UNSET 4e300      /* the field stays 0, which means: not given */
#define LN_FROM_INPUT 2e300 /* 0 until the first input is seen, then the size \
                               that bears its name in `inputs`, see ln_layer */
#define LN_ANY 1e300        /* as max (as min: -LN_ANY): no limit */
#define LN_WORD(i) (-1 - (int64_t)(i))

#define LN_INT(T, f, def, min, max, help) \
  LN_OPTION_(T, f, INT, def, min, max, NULL, NULL, help)
#define LN_REAL(T, f, def, min, max, help) \
  LN_OPTION_(T, f, REAL, def, min, max, NULL, NULL, help)
#define LN_BOOL(T, f, def, help) \
  LN_OPTION_(T, f, BOOL, def, 0, 1, NULL, NULL, help)
#define LN_INTS(T, f, def, min, max, help) \
  LN_OPTION_(T, f, INTS, def, min, max, NULL, NULL, help)
#define LN_REALS(T, f, def, min, max, help) \
  LN_OPTION_(T, f, REALS, 0, min, max, def, NULL, help)
#define LN_LIST(T, f, def, min, max, help) \
  LN_OPTION_(T, f, LIST, def, min, max, NULL, NULL, help)
#define LN_CHOICE(T, f, def, words, help) \
  LN_OPTION_(T, f, CHOICE, 0, 0, 0, def, words, help)
#define LN_TEXT(T, f, def, help) \
  LN_OPTION_(T, f, TEXT, 0, 0, 0, def, NULL, help)
#define LN_INTS_LIKE(T, f, other, min, max, help) \
  LN_OPTION_(T, f, INTS, LN_UNSET, min, max, #other, NULL, help)
#define LN_INTS_OR_WORD(T, f, def, min, max, words, help) \
  LN_OPTION_(T, f, INTS, def, min, max, NULL, words, help)
#define LN_ONE_OF(names) \
  { NULL, NULL, NULL, names, 0, 0, 0, LN_T_ONE_OF, 0, 0, 0 }

enum {
  LN_T_INT = 1,
  LN_T_REAL,
  LN_T_BOOL,
  LN_T_INTS,
  LN_T_REALS,
  LN_T_LIST,
  LN_T_CHOICE,
  LN_T_TEXT,
  LN_T_ONE_OF
};

typedef struct ln_option {
  const char *name, *help;
  const char *text;  /* default of TEXT, CHOICE, REALS; of INTS: the option
                        whose value it takes when left out */
  const char *words; /* of CHOICE, INTS_OR_WORD and ONE_OF, with | between */
  double fallback, min, max;
  int32_t type;          /* LN_T_... */
  uint32_t flags;        /* 0 in version 1 */
  uint32_t offset, size; /* of the field in your struct, in bytes */
} ln_option;

#define LN_OPTION_(T, f, type, def, min, max, text, words, help) \
  { #f, help, text, words, def, min, max, LN_T_##type, 0,        \
    (uint32_t)offsetof(T, f), (uint32_t)LN_SIZE_##type(((T *)0)->f) }
#ifdef __cplusplus
#define LN_SIZE_INT(f) sizeof(f)
#define LN_SIZE_REAL(f) sizeof(f)
#define LN_SIZE_BOOL(f) sizeof(f)
#define LN_SIZE_INTS(f) sizeof(f)
#define LN_SIZE_REALS(f) sizeof(f)
#define LN_SIZE_LIST(f) sizeof(f)
#define LN_SIZE_CHOICE(f) sizeof(f)
#define LN_SIZE_TEXT(f) sizeof(f)
#else
#define LN_SIZE_INT(f) _Generic(f, int32_t: sizeof(f), int64_t: sizeof(f))
#define LN_SIZE_REAL(f) _Generic(f, float: sizeof(f), double: sizeof(f))
#define LN_SIZE_BOOL(f) _Generic(f, bool: sizeof(f), int: sizeof(f))
#define LN_SIZE_INTS(f) _Generic(&(f)[0], int64_t *: sizeof(f))
#define LN_SIZE_REALS(f) _Generic(&(f)[0], double *: sizeof(f))
#define LN_SIZE_LIST(f) _Generic(f, ln_list: sizeof(f))
#define LN_SIZE_CHOICE(f) _Generic(f, int: sizeof(f))
#define LN_SIZE_TEXT(f) _Generic(f, const char *: sizeof(f))
#endif

/* ==== 4. What the host does for you ==================================== */

typedef struct ln_host ln_host;
typedef struct ln_infer ln_infer;
typedef struct ln_call ln_call;

enum { LN_CPU_AVX2_FMA = 1, LN_CPU_AVX512 = 2, LN_CPU_NEON = 4 };

/* One piece of a parallel_for: [begin, end), the index-th from 0. */
typedef struct ln_chunk {
  uint32_t struct_size, reserved;
  int64_t begin, end, index;
  void *scratch; /* `scratch` bytes (see ln_infer) of this thread alone */
} ln_chunk;
typedef void (*ln_body)(void *arg, const ln_chunk *chunk);

/* Writes one packed form of the weights of c to `out`; see `packed`. */
typedef ln_status (*ln_pack)(const void *self, const ln_call *c, void *out);

/* Where a kernel looks: a window slid over the last `dims` dims of x[0]. */
typedef struct ln_window {
  uint32_t struct_size;
  int32_t dims;                             /* 1, 2, ... */
  const int64_t *kernel, *stride;           /* `dims` numbers each */
  const int64_t *dilation;                  /* NULL: 1 */
  const int64_t *pad_before, *pad_after;    /* NULL: 0; after NULL: = before */
  int32_t ceil_mode; /* round the size up, but no window begins beyond the
                        input and the padding before it */
  int32_t strict;    /* refuse where elements would be left over */
} ln_window;

struct ln_host {
  uint32_t struct_size, abi_minor; /* of the host */
  const char *version;             /* Lunet's, such as "0.1.0" */
  const char *layer;               /* the name of this instance */
  uint64_t cpu;                    /* LN_CPU_... of this machine */
  void *private_;                  /* the host's own */

  /* -- at any time, [any] -- */

  /* Leaves the sentence (the first one stays) and returns LN_FAILED. */
  ln_status (*fail)(const ln_host *, const char *format, ...) LN_LIKE_PRINTF;
  /* Writes a line to the log of whoever debugs (LUNET_LOG=1: stderr). */
  void (*log)(const ln_host *, const char *format, ...) LN_LIKE_PRINTF;
  /* Not 0 once the user wants to stop: return LN_CANCELLED soon. */
  int32_t (*cancelled)(const ln_host *);
  /* Experiments beyond this header, by name and revision, such as
   * "org.lunet.tracing/2". NULL: this host has none. */
  const void *(*extension)(const ln_host *, const char *id);

  /* -- in create only -- */

  /* Zeroed memory that begins at a multiple of 64 bytes and is freed with the
   * instance. NULL: none left. */
  void *(*alloc)(const ln_host *, size_t bytes);

  /* -- in infer only -- */

  /* Sets the last dims of y[0] to
   *   floor((in + before + after - dilation*(kernel-1) - 1) / stride) + 1,
   * refuses with the rule and the numbers where nothing fits, and notes the
   * receptive field. */
  ln_status (*window)(ln_infer *, const ln_window *);
  /* A remark for the user about these shapes: shown once, in summaries and
   * at the prompt; no error. */
  void (*notice)(ln_infer *, const char *format, ...) LN_LIKE_PRINTF;

  /* -- in forward and backward only -- */

  /* Calls body for [0,n) in pieces of `grain` (the last may be smaller), on
   * all threads. The pieces are the same whatever the number of threads. A
   * piece writes its own part of the result; partial sums go to a place of
   * their own and are added afterwards in order of index. Inside a body, or
   * in a slice of the batch, it runs on the calling thread. Returns LN_OK, or
   * LN_CANCELLED when pieces were skipped because of Ctrl-C. */
  ln_status (*parallel_for)(const ln_call *, int64_t n, int64_t grain,
                            ln_body body, void *arg);
  /* c = op(a) op(b) + beta c, where op(a) is m x k, op(b) is k x n, c m x n;
   * rows are lda, ldb, ldc floats apart; op transposes if transpose_a or _b.
   * beta = 0 writes c with `=`. Uses all threads, in a body the calling one;
   * same bits either way. [any] */
  void (*matmul)(const ln_call *, int32_t transpose_a, int32_t transpose_b,
                 int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                 const float *b, int64_t ldb, float beta, float *c,
                 int64_t ldc);
  /* Random numbers number first, first+1, ... of a stream (0, 1, ... as you
   * like): uniform in [0,1), or standard normal. They depend on the seed, the
   * instance, the step, the stream and the index alone, and backward has
   * forward's step: draw the same numbers again instead of saving them. Index
   * over the whole batch (see ln_first), so that slices draw what the whole
   * would. Philox4x32-10 of Salmon et al. 2011. [any] */
  void (*uniform)(const ln_call *, int32_t stream, int64_t first, int64_t n,
                  float *out);
  void (*normal)(const ln_call *, int32_t stream, int64_t first, int64_t n,
                 float *out);
  /* The weights in a form of your own, kept between calls: packed[slot] bytes
   * (see ln_infer), filled by `pack` whenever a weight has changed since.
   * NULL: pack failed; return LN_FAILED then. */
  const void *(*packed)(const ln_call *, int32_t slot, ln_pack pack);
};

#define ln_fail(host, ...) ((host)->fail((host), __VA_ARGS__))

/* ==== 5. params: weights and state ===================================== */

enum { LN_WEIGHT = 1, LN_STATE = 2 }; /* trained; saved, but not trained */
enum {
  LN_FILL = 1,   /* every element is `value` */
  LN_NORMAL = 2, /* normal, mean 0, standard deviation `value` */
  LN_FAN_IN = 3  /* uniform between -1/sqrt(fan_in) and 1/sqrt(fan_in) */
};

typedef struct ln_declaration {
  uint32_t struct_size;
  int32_t role, init, reserved;
  double value;
  double fan_in, fan_out; /* inputs that meet in an output; outputs that an
                             input reaches; 0: do not apply */
  const char *name;       /* PyTorch's where it has one; copied */
  ln_shape shape;
} ln_declaration;

typedef struct ln_params {
  uint32_t struct_size, reserved;
  const ln_host *host;
  void (*declare)(struct ln_params *, const ln_declaration *);
} ln_params;

/* The three common cases. The first weight is ln_w(c, 0), the first state is
 * ln_state(c, 0), and so on. */
static inline void ln_declare_(ln_params *p, int32_t role, const char *name,
                               ln_shape shape, int32_t init, double value,
                               double fan_in, double fan_out) {
  const ln_declaration d = { (uint32_t)sizeof(ln_declaration), role, init, 0,
                             value, fan_in, fan_out, name, shape };
  p->declare(p, &d);
}
static inline void ln_add_weight(ln_params *p, const char *name,
                                 ln_shape shape, double fan_in,
                                 double fan_out) {
  ln_declare_(p, LN_WEIGHT, name, shape, LN_FAN_IN, 0, fan_in, fan_out);
}
static inline void ln_add_filled_weight(ln_params *p, const char *name,
                                        ln_shape shape, double value) {
  ln_declare_(p, LN_WEIGHT, name, shape, LN_FILL, value, 0, 0);
}
static inline void ln_add_state(ln_params *p, const char *name, ln_shape shape,
                                double value) {
  ln_declare_(p, LN_STATE, name, shape, LN_FILL, value, 0, 0);
}

/* ==== 6. infer: from input shapes to output shapes ===================== */

struct ln_infer {
  uint32_t struct_size;
  int32_t n_x, n_y, reserved;
  const ln_host *host;
  const ln_shape *x;
  ln_shape *y; /* filled in as far as `outputs` tells; open dims are -1 */

  /* You set these; they are 0 on entry. Bytes, for this batch. */
  int64_t saved;     /* kept from forward to its backward */
  int64_t workspace; /* for the time of one call */
  int64_t scratch;   /* for each thread in a parallel_for */
  int64_t partial;   /* for each slice, see ln_kernel's passes in parts */
  int64_t shared;    /* for all slices: from forward_reduce to backward */
  int64_t packed[4]; /* see `packed` in ln_host */
  /* Cost, a multiply-add counts as 2. backward 0: twice the forward. */
  double flops, flops_backward;
};

/* A window as the host's service wants it; pads may be NULL. */
static inline ln_status ln_slide(ln_infer *io, int32_t dims,
                                 const int64_t *kernel, const int64_t *stride,
                                 const int64_t *dilation,
                                 const int64_t *pad_before,
                                 const int64_t *pad_after, bool ceil_mode,
                                 bool strict) {
  const ln_window w = { (uint32_t)sizeof(ln_window), dims, kernel, stride,
                        dilation, pad_before, pad_after, ceil_mode, strict };
  return io->host->window(io, &w);
}

/* ==== 7. The call ====================================================== */

struct ln_call {
  uint32_t struct_size;
  int32_t training; /* 0: evaluation */
  const ln_host *host;
  uint64_t step; /* counts the forwards of this instance */
  /* With LN_PER_SAMPLE the tensors are a slice of the batch: it begins at
   * item first_item (from 0) of batch_items. */
  int64_t first_item, batch_items;
  int32_t n_x, n_y, n_w, n_state;
  const ln_tensor *const *x, *const *y, *const *w, *const *state;
  const ln_tensor *const *dx, *const *dy, *const *dw; /* NULL in forward */
  void *saved, *workspace; /* as asked in infer, at a multiple of 64 bytes;
                              there in every pass, also where no backward
                              follows */
  int32_t activation; /* LN_IS_...: applied to y before it is stored; 0,
                         unless your row accepts one, see ln_kernel */
  int32_t reserved;
  /* Of passes in parts: this slice's partial result or, in a reduce, those of
   * all n_partials slices (see ln_partial), and what a reduce leaves. */
  char *partial;
  int64_t partial_bytes, n_partials;
  void *shared;
};

static inline float *ln_at_(const ln_tensor *const *t, int32_t n, int32_t i) {
  return t && i < n && t[i] ? t[i]->data : NULL;
}
/* The i-th input, weight, ... from 0. NULL: there is none, such as a bias not
 * declared, or nobody wants this gradient. backward is never called for
 * nothing: with one input and no weights, dx is there. */
static inline const float *ln_x(const ln_call *c, int32_t i) {
  return ln_at_(c->x, c->n_x, i);
}
static inline const float *ln_w(const ln_call *c, int32_t i) {
  return ln_at_(c->w, c->n_w, i);
}
static inline const float *ln_dy(const ln_call *c, int32_t i) {
  return ln_at_(c->dy, c->n_y, i);
}
static inline float *ln_y(const ln_call *c, int32_t i) {
  return ln_at_(c->y, c->n_y, i);
}
static inline float *ln_dx(const ln_call *c, int32_t i) {
  return ln_at_(c->dx, c->n_x, i);
}
static inline float *ln_dw(const ln_call *c, int32_t i) {
  return ln_at_(c->dw, c->n_w, i);
}
/* forward may change state while training. */
static inline float *ln_state(const ln_call *c, int32_t i) {
  return ln_at_(c->state, c->n_state, i);
}
/* In a reduce: the partial result of slice i. */
static inline void *ln_partial(const ln_call *c, int64_t i) {
  return c->partial + i * c->partial_bytes;
}
/* The size of dim d (from 0) of input or output i. */
static inline int64_t ln_x_dim(const ln_call *c, int32_t i, int32_t d) {
  return c->x[i]->shape.dim[d];
}
static inline int64_t ln_y_dim(const ln_call *c, int32_t i, int32_t d) {
  return c->y[i]->shape.dim[d];
}
/* The place of y[0]'s first element in the whole batch, for random numbers. */
static inline int64_t ln_first(const ln_call *c) {
  const ln_shape *s = &c->y[0]->shape;
  int64_t n = c->first_item;
  for (int32_t i = 1; i < s->rank; i++) n *= s->dim[i];
  return n;
}

/* ==== 8. Faster methods ================================================ */

/* A faster way to compute the same. The first row whose instruction sets the
 * CPU has and whose plan accepts the shapes is used; the layer's own functions
 * are the method "textbook" for ever. The host alone offers the option
 * `method`. A NULL function: the layer's own.
 *
 * Activations. A layer that `is` a ReLU may be done in passing: where y goes
 * to it alone, a row whose `activations` has the bit LN_ACCEPTS(LN_IS_RELU) is
 * called with call->activation = LN_IS_RELU, and stores y <= 0 ? 0 : y. Nothing
 * changes in backward: the dy that arrives is that of y before the activation.
 * Needs LN_FORGETS_Y.
 *
 * So may a layer that `is` LN_IS_CHANNEL_AFFINE, where no backward follows: a
 * row that accepts it, and has no passes in parts of its own, may find in
 * call->shared what that layer's reduce left there, for the C channels of y:
 * mean[C], then scale[C], then shift[C]. It stores (y - mean[c]) * scale[c] +
 * shift[c], in float32 and in this order, and then applies the activation.
 * lunet/kernels/finish.h does both for vectors.
 *
 * Passes in parts. A layer that needs something of the whole batch before it
 * can treat an item (batch norm: mean and variance) need not give up slices.
 * Its row is per_sample and has four more functions:
 *
 *   forward_partial    for each slice: from x to call->partial
 *   forward_reduce     once: from all partials to call->shared
 *   forward            for each slice, with call->shared: from x to y
 *   backward_partial   for each slice: from x and dy to call->partial
 *   backward_reduce    once: to call->shared, and the gradients dw
 *   backward           for each slice, with call->shared: to dx
 *
 * In evaluation there is no forward_partial, and forward_reduce finds 0
 * partials. In a reduce the tensors x, y, dy have the shapes of the whole
 * batch and no data. `partial` and `shared` bytes are asked of infer. */
#define LN_ACCEPTS(is) (1u << (is))

typedef struct ln_kernel {
  const char *method; /* such as "im2col", "winograd" */
  uint64_t isa;       /* LN_CPU_...; 0: any */
  /* After infer, with the same io: ask for other memory, or LN_UNSUITED. */
  ln_status (*plan)(const void *self, ln_infer *io);
  ln_status (*forward)(const void *self, const ln_call *c);
  ln_status (*backward)(const void *self, const ln_call *c);
  ln_status (*backward_weights)(const void *self, const ln_call *c);
  uint32_t per_sample;  /* 1: may be called on slices of the batch */
  uint32_t activations; /* that this row accepts: LN_ACCEPTS(LN_IS_RELU) | */
  ln_status (*forward_partial)(const void *self, const ln_call *c);
  ln_status (*forward_reduce)(const void *self, const ln_call *c);
  ln_status (*backward_partial)(const void *self, const ln_call *c);
  ln_status (*backward_reduce)(const void *self, const ln_call *c);
} ln_kernel;

/* What a layer means, so that another may do its work in passing: declared as
 * `.is`, and checked against the layer's own functions. */
enum {
  LN_IS_OPAQUE = 0,
  LN_IS_RELU = 1, /* y = x <= 0 ? 0 : x */
  LN_IS_CHANNEL_AFFINE = 2 /* y = (x - mean[c]) * scale[c] + shift[c] in
                              evaluation, c in dim 1; each row in parts leaves
                              mean[C], scale[C], shift[C] at the beginning of
                              call->shared */
};

/* ==== 9. The layer, and the plugin ===================================== */

/* Promises. Each only ever allows the host more: a layer that declares none
 * is right, only slower. Unknown ones are ignored. */
enum {
  LN_PER_SAMPLE = 1, /* item i of y and dx depends on item i of x alone: the
                        host may run slices of the batch at once */
  LN_IN_PLACE = 2,   /* y may be x's memory, and dx be dy's */
  LN_FORGETS_X = 4,  /* backward does not read the numbers of x; its shape is
                        there */
  LN_FORGETS_Y = 8,  /* ... of y */
  LN_NONSMOOTH = 16, /* has kinks, as max has */
  LN_LINEAR = 32,    /* y is linear in x, but for a constant (a bias) */
  LN_RANDOM = 64,    /* draws random numbers while training */
  LN_RESHAPES = 128  /* y is x under another shape: the host need not call */
};

enum { LN_PLAIN = 0, LN_LOSS = 1 /* the last input is the target, which gets
                                    no gradient; y is a single number */ };

#define LN_OPTIONS(T, rows) \
  .options = LN_ARRAY(rows), .self_size = sizeof(T)
#define LN_KERNELS(rows) .kernels = LN_ARRAY(rows)
#define LN_LAYER .struct_size = (uint32_t)sizeof(ln_layer) /* comes first */

typedef struct ln_layer {
  uint32_t struct_size;
  int32_t kind; /* LN_PLAIN, LN_LOSS */
  const char *name;    /* lower_snake_case: the word after `nn.` */
  const char *brief;   /* one line without a full stop */
  const char *formula; /* y = ... in the lecture's letters */
  const char *example; /* one line of Lua; tests run it */

  /* The shapes, one word a dim:  "x(N,in_channels,H,W)", "y(N,out_channels,
   * OH,OW)". A word that is an option is compared with it, or fills it where
   * it is LN_FROM_INPUT; an option with several numbers stands for several
   * dims; another word used twice must have one size; `...` is any number of
   * dims, the same wherever it stands. "x(...)*" is one or more inputs of one
   * shape, "x*" of any shapes; "loss()" is a single number. Words of
   * `outputs` that are still open are for infer. NULL: "x(...)", "y(...)". */
  const char *inputs, *outputs;

  ln_array options; /* of ln_option */
  size_t self_size; /* of your struct; what is no option starts as 0 */
  uint32_t traits;  /* promises, see above */
  uint32_t needs;   /* 0; a bit that the host does not know: it refuses */
  int32_t is;       /* LN_IS_... */
  int32_t version;  /* raise when saved weights change their meaning */

  /* self is complete, but for options LN_FROM_INPUT that were left out.
   * Check combinations, compute what you want to keep in self. */
  ln_status (*create)(void *self, const ln_host *host);
  void (*destroy)(void *self); /* only for what is not from host->alloc */
  /* Called once all options are known; depends on them alone. */
  ln_status (*params)(const void *self, ln_params *p);
  ln_status (*infer)(const void *self, ln_infer *io);
  ln_status (*forward)(const void *self, const ln_call *c);
  ln_status (*backward)(const void *self, const ln_call *c);
  /* NULL: backward writes dw, too. Else backward has dw NULL, and this one
   * (dx NULL) is called on the whole batch. */
  ln_status (*backward_weights)(const void *self, const ln_call *c);
  ln_array kernels; /* of ln_kernel: faster methods, best first */
} ln_layer;

typedef struct ln_plugin {
  uint32_t magic, struct_size, abi_minor, pointer_size;
  const char *name, *version; /* of the plugin file */
  const ln_layer *const *layers;
  uint32_t n_layers, reserved;
} ln_plugin;

/* The one symbol that a plugin file shows. It is data: nothing runs at load. */
extern LN_EXPORT const ln_plugin lunet_plugin_v1;

/* LN_PLUGIN("my_layers", "1.0", &swish, &mish); */
#define LN_PLUGIN(name, version, ...)                                      \
  static const ln_layer *const ln_layers_[] = { __VA_ARGS__ };             \
  const ln_plugin lunet_plugin_v1 = {                                      \
    LN_MAGIC, (uint32_t)sizeof(ln_plugin), LN_ABI_MINOR,                   \
    (uint32_t)sizeof(void *), name, version, ln_layers_,                   \
    (uint32_t)(sizeof(ln_layers_) / sizeof(ln_layers_[0])), 0              \
  }

#ifdef __cplusplus
}
#endif
#endif
