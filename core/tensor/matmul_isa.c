/* matmul_isa.c - the matrix product's tile for one instruction set. Compiled
 * once for each, with LN_SUFFIX its name. */
#include "tensor/matmul_isa.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

/* The workspace, a quarter of a megabyte, lies on the stack: no allocation,
 * nothing that could fail. */
static void tile(const ln_product *x, int64_t row, int64_t rows, int64_t column,
                 int64_t columns) {
  float workspace[LN_MATMUL_FLOATS] __attribute__((aligned(64)));
  ln_matmul_tile(x, row, rows, column, columns, workspace);
}

const ln_tile_kernel JOIN(ln_matmul_, LN_SUFFIX) = { tile, LN_BLOCK_ROWS,
                                                     LN_PANEL };
