/* static_memory.h - the globals and statics of a plugin: they must not change
 * while it computes. */
#ifndef LUNET_CHECK_STATIC_MEMORY_H
#define LUNET_CHECK_STATIC_MEMORY_H

#include <lunet/lunet.h>

/* Copies the writable memory of the plugin with this handle of dlopen. */
void ln_statics_keep(void *handle);
/* How many bytes of it differ from the copy. */
int64_t ln_statics_changed(void);

#endif
