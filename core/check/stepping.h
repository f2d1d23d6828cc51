/* stepping.h - a call run instruction by instruction, to see which instruction
 * sets a plugin's own code needs. */
#ifndef LUNET_CHECK_STEPPING_H
#define LUNET_CHECK_STEPPING_H

#include <lunet/lunet.h>

/* Watches the code of the plugin with this handle of dlopen from now on. false:
 * not possible on this machine. */
bool ln_steps_watch(void *handle);
/* Around a call. Only its first thousand instructions are looked at: each costs
 * a signal, and a loop repeats what it does. */
void ln_steps_begin(void);
void ln_steps_end(void);
/* The LN_CPU_... bits that were needed since ln_steps_watch; LN_CPU_AVX512 also
 * for AVX-512 on short vectors, LN_CPU_AVX2_FMA for all of AVX. */
uint64_t ln_steps_needed(void);

#endif
