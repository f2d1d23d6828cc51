/* registry.h - from the word of a layer to the layer: what has been loaded,
 * and where plugin files are looked for. */
#ifndef LUNET_HOST_REGISTRY_H
#define LUNET_HOST_REGISTRY_H

#include "host/library.h"

ln_status ln_registry_find(const char *word, const ln_known_layer **out);
/* Rises whenever a layer or a method may have changed: plans look at it. */
uint64_t ln_host_generation(void);
void ln_host_bump_generation(void);

#endif
