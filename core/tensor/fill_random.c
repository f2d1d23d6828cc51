/* fill_random.c - random tensors and orders, each from a stream of its own. */
#include "tensor/tensor.h"
#include "base/random.h"

static ln_random next_stream(void) {
  return ln_random_stream(ln_random_next_user(), 0, 0);
}

ln_status ln_tensor_rand(const ln_shape *shape, ln_tensor **out) {
  if (ln_tensor_new(shape, out) != LN_OK) return LN_FAILED;
  ln_random_uniform(next_stream(), 0, (*out)->count, (*out)->data);
  return LN_OK;
}

ln_status ln_tensor_randn(const ln_shape *shape, ln_tensor **out) {
  if (ln_tensor_new(shape, out) != LN_OK) return LN_FAILED;
  ln_random_normal(next_stream(), 0, (*out)->count, (*out)->data);
  return LN_OK;
}

ln_status ln_permutation(int64_t n, int64_t *out) {
  if (n < 0)
    return ln_set_error("permutation: %" PRId64 " numbers cannot be shuffled",
                        n);
  for (int64_t i = 0; i < n; i++) out[i] = i;
  ln_random_shuffle(next_stream(), n, out);
  return LN_OK;
}
