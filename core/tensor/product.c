/* product.c - the matrix product of tensors: shapes in, shapes out. */
#include "tensor/matmul.h"
#include "tensor/tensor.h"
#include "base/cpu.h"

/* A vector on the left is a row, one on the right is a column; the dim made
 * up for it vanishes from the result. */
typedef struct operands {
  int64_t m, k, n;
  ln_shape result;
} operands;

static ln_status refuse(const ln_tensor *a, const ln_tensor *b,
                        const char *rule) {
  char text_a[200], text_b[200];
  return ln_set_error("matmul: shapes %s and %s do not meet: %s",
                      ln_shape_text(&a->shape, text_a),
                      ln_shape_text(&b->shape, text_b), rule);
}

static ln_status understand(const ln_tensor *a, const ln_tensor *b,
                            operands *out) {
  int32_t rank_a = a->shape.rank, rank_b = b->shape.rank;
  if (rank_a < 1 || rank_a > 2 || rank_b < 1 || rank_b > 2)
    return refuse(a, b, "each must have 1 or 2 dims");
  *out = (operands){ .m = rank_a == 2 ? a->shape.dim[0] : 1,
                     .k = a->shape.dim[rank_a - 1],
                     .n = rank_b == 2 ? b->shape.dim[1] : 1 };
  if (out->k != b->shape.dim[0])
    return refuse(a, b,
                  "the last size of the first must be the first size of the "
                  "second: (m,k) x (k,n) gives (m,n)");
  if (rank_a == 2) out->result.dim[out->result.rank++] = out->m;
  if (rank_b == 2) out->result.dim[out->result.rank++] = out->n;
  return LN_OK;
}

static ln_status multiply_dense(const operands *o, const ln_tensor *a,
                                const ln_tensor *b, ln_tensor **out) {
  ln_tensor *y;
  if (ln_tensor_new(&o->result, &y) != LN_OK) return LN_FAILED;
  ln_clear_cancel();
  ln_matmul(false, false, o->m, o->n, o->k, a->data, o->k, b->data, o->n, 0,
            y->data, o->n);
  if (ln_is_cancelled()) {
    ln_tensor_release(y);
    ln_set_error("matmul: interrupted");
    return LN_CANCELLED;
  }
  *out = y;
  return LN_OK;
}

ln_status ln_tensor_matmul(const ln_tensor *a, const ln_tensor *b,
                           ln_tensor **out) {
  ln_isa isa;
  operands o;
  ln_tensor *dense_a = NULL, *dense_b = NULL;
  if (ln_cpu_isa(&isa) != LN_OK) return LN_FAILED;
  if (understand(a, b, &o) != LN_OK) return LN_FAILED;
  ln_status status = ln_tensor_dense(&ln_full(a)->view, &dense_a);
  if (status == LN_OK) status = ln_tensor_dense(&ln_full(b)->view, &dense_b);
  if (status == LN_OK) status = multiply_dense(&o, dense_a, dense_b, out);
  ln_tensor_release(dense_a);
  ln_tensor_release(dense_b);
  return status;
}
