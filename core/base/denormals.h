/* denormals.h - numbers too small for a normal exponent are a hundred times
 * slower, and the momenta of dead units decay into them: flush them to zero
 * while computing, and give the caller its setting back. */
#ifndef LUNET_BASE_DENORMALS_H
#define LUNET_BASE_DENORMALS_H

#include <stdint.h>

/* Flushes from now on, on this thread; returns the setting before. */
uint64_t ln_flush_denormals(void);
void ln_restore_denormals(uint64_t setting);
/* The setting of this thread, for another one to take over. */
uint64_t ln_denormals_setting(void);

#endif
