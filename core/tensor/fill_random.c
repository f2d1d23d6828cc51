/* fill_random.c - random tensors and orders, each from a stream of its own. */
#include "tensor/tensor.h"
#include "base/random.h"

static ln_random next_stream(void) {
  return ln_random_stream(ln_random_next_user(), 0, 0);
}

typedef void (*drawing)(ln_random r, uint64_t first, int64_t n, float *out);

enum { PIECE = 1 << 16 }; /* numbers between two looks at Ctrl-C */

static ln_status draw(drawing draw_some, const ln_shape *shape,
                      ln_tensor **out) {
  ln_tensor *t;
  if (ln_tensor_new(shape, &t) != LN_OK) return LN_FAILED;
  const ln_random stream = next_stream();
  ln_clear_cancel();
  for (int64_t first = 0; first < t->count; first += PIECE) {
    if (ln_is_cancelled()) {
      ln_tensor_release(t);
      ln_set_error("interrupted");
      return LN_CANCELLED;
    }
    const int64_t left = t->count - first, n = left < PIECE ? left : PIECE;
    draw_some(stream, (uint64_t)first, n, t->data + first);
  }
  *out = t;
  return LN_OK;
}

ln_status ln_tensor_rand(const ln_shape *shape, ln_tensor **out) {
  return draw(ln_random_uniform, shape, out);
}

ln_status ln_tensor_randn(const ln_shape *shape, ln_tensor **out) {
  return draw(ln_random_normal, shape, out);
}

ln_status ln_permutation(int64_t n, int64_t *out) {
  if (n < 0)
    return ln_set_error("permutation: %" PRId64 " numbers cannot be shuffled",
                        n);
  for (int64_t i = 0; i < n; i++) out[i] = i;
  ln_random_shuffle(next_stream(), n, out);
  return LN_OK;
}
