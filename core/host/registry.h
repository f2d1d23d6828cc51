/* registry.h - from the word of a layer to the layer: what has been loaded,
 * and where plugin files are looked for. */
#ifndef LUNET_HOST_REGISTRY_H
#define LUNET_HOST_REGISTRY_H

#include "host/library.h"

/* Do the two have a word in common? */
bool ln_registry_share(const ln_library *a, const ln_library *b);
/* Puts `lib` in the place of all that share a word with it; those are kept, as
 * their code may still be in use. */
ln_status ln_registry_replace(ln_library *lib);
ln_status ln_registry_find(const char *word, const ln_known_layer **out);
/* Rises whenever a layer or a method may have changed: plans look at it. */
uint64_t ln_host_generation(void);
void ln_host_bump_generation(void);

#endif
