/* table.h - tables name -> tensor, as files hold them: made, put in order. */
#ifndef LUNET_FILES_TABLE_H
#define LUNET_FILES_TABLE_H

#include <lunet/lunet.h>

/* A table with room for `count` entries, all still NULL. */
ln_status ln_table_new(int64_t count, ln_tensor_table *out);

/* The entries in the order of their names, byte by byte; *order is freed with
 * ln_free. Refuses equal names, and names that are no UTF-8. `where` stands in
 * messages. */
ln_status ln_table_order(const char *where, const ln_tensor_table *t,
                         int64_t **order);

bool ln_is_utf8(const void *bytes, size_t size);

#endif
