/* roofline_isa.h - the multiply-adds of roofline.c, one function for each
 * instruction set. */
#ifndef LUNET_BASE_ROOFLINE_ISA_H
#define LUNET_BASE_ROOFLINE_ISA_H

#include <stdint.h>

/* Runs `rounds` rounds of multiply-adds. *flops: how many operations that
 * was; the result is of no use but to keep them from being left out. */
typedef float (*ln_multiply_adds)(int64_t rounds, float factor, float term,
                                  double *flops);

float ln_multiply_adds_baseline(int64_t, float, float, double *);
#ifdef __x86_64__
float ln_multiply_adds_avx2(int64_t, float, float, double *);
float ln_multiply_adds_avx512(int64_t, float, float, double *);
#endif

#endif
