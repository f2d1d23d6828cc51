/* roofline.h - what this machine allows at most: the two lines of a roofline
 * model, multiply-adds a second and bytes a second. */
#ifndef LUNET_BASE_ROOFLINE_H
#define LUNET_BASE_ROOFLINE_H

#include "base/cpu.h"

/* Each is measured on all threads (ln_num_threads) for some 50 ms, and the
 * best of several tries counts. */

/* FLOP/s of multiply-adds in registers, one counting as 2. `isa` must be at
 * most what ln_cpu_isa gives. */
double ln_peak_flops(ln_isa isa);
/* Bytes/s of a copy much larger than the caches, read and written bytes
 * counted. Fails where there is no memory for it. */
ln_status ln_copy_rate(double *bytes_per_second);
#endif
