/* registry.h - from the word of a layer to the layer: what has been loaded,
 * and where plugin files are looked for. */
#ifndef LUNET_HOST_REGISTRY_H
#define LUNET_HOST_REGISTRY_H

#include "host/library.h"

/* Does `lib` take the place of `old`: is it the same file, or has it a word of
 * it? */
bool ln_registry_replaces(const ln_library *lib, const ln_library *old);
/* Puts `lib` in the place of all those; they are kept, as their code may still
 * be in use. */
ln_status ln_registry_replace(ln_library *lib);
ln_status ln_registry_find(const char *word, const ln_known_layer **out);
/* Rises whenever a layer or a method may have changed: plans look at it. */
uint64_t ln_host_generation(void);
void ln_host_bump_generation(void);

#endif
