/* arena.h - one block of memory for many buffers that live at different
 * times: those that never live together may share their bytes. */
#ifndef LUNET_GRAPH_ARENA_H
#define LUNET_GRAPH_ARENA_H

#include <lunet/lunet.h>

typedef struct ln_buffer {
  int64_t bytes;
  int64_t first, last; /* lives from time first to time last, both included */
  bool any_float;      /* need not begin at a multiple of 64 */
  bool local;          /* one for each thread slot, as large as a slice needs */
  int64_t offset;      /* the result: a multiple of 64 */
} ln_buffer;

/* Bytes rounded up to a multiple of 64: where the next buffer may begin. */
static inline int64_t ln_padded_bytes(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/* Gives each buffer with `local` as asked its offset; *total: bytes needed. */
ln_status ln_arena_pack(ln_buffer *buffers, int64_t n, bool local,
                        int64_t *total);
/* The same for guarded memory: all live apart, each ends at a closed page. */
void ln_arena_spread(ln_buffer *buffers, int64_t n, bool local, int64_t *total);
/* Closes the pages between the buffers of such an arena. */
void ln_arena_close(char *arena, const ln_buffer *buffers, int64_t n,
                    bool local);

#endif
