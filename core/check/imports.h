/* imports.h - counts what a plugin asks of the heap, by putting counters where
 * its calls of malloc and its kin go. */
#ifndef LUNET_CHECK_IMPORTS_H
#define LUNET_CHECK_IMPORTS_H

#include <lunet/lunet.h>

/* Watches the plugin of this handle of dlopen. */
void ln_count_heap_calls(void *handle);
/* Since then: calls that asked for memory, and bytes not given back. */
int64_t ln_heap_calls(void);
int64_t ln_heap_bytes(void);
/* What malloc gives is filled with this byte from now on. */
void ln_fill_heap(int byte);

#endif
