/* matmul_isa.h - what a matrix product compiled for one instruction set is to
 * the rest: how to compute a tile, and which sizes suit it. */
#ifndef LUNET_TENSOR_MATMUL_ISA_H
#define LUNET_TENSOR_MATMUL_ISA_H

#include <lunet/kernels/matmul.h>

typedef struct ln_tile_kernel {
  void (*tile)(const ln_product *x, int64_t row, int64_t rows, int64_t column,
               int64_t columns);
  int block_rows, panel;
} ln_tile_kernel;

extern const ln_tile_kernel ln_matmul_baseline;
#ifdef __x86_64__
extern const ln_tile_kernel ln_matmul_avx2, ln_matmul_avx512;
#endif

#endif
