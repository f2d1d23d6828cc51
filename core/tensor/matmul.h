/* matmul.h - the matrix product behind t:matmul, the plugins' service and
 * linear layers. */
#ifndef LUNET_TENSOR_MATMUL_H
#define LUNET_TENSOR_MATMUL_H

#include <lunet/lunet.h>

/* c = op(a) op(b) + beta c, as ln_host.matmul says. Each element of c is one
 * sum over k in a fixed order: same bits for any number of threads. */
void ln_matmul(bool transpose_a, bool transpose_b, int64_t m, int64_t n,
               int64_t k, const float *a, int64_t lda, const float *b,
               int64_t ldb, float beta, float *c, int64_t ldc);

#endif
