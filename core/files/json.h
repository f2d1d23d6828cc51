/* json.h - cJSON, made strict enough for files of strangers. */
#ifndef LUNET_FILES_JSON_H
#define LUNET_FILES_JSON_H

#include <lunet/lunet.h>

#include <cjson/cJSON.h>

/* Parses one JSON object of UTF-8 text, with spaces around it. `offset` is
 * where the text stands in its file, for messages; `most` the memory in bytes
 * that the result may take. Give it back with cJSON_Delete. */
ln_status ln_json_parse(const char *where, size_t offset, const char *text,
                        size_t size, size_t most, cJSON **out);

/* The members of an object in the order of their names. *out has *count
 * places, and is freed with ln_free. Refuses equal names. */
ln_status ln_json_sorted(const char *where, const cJSON *object, cJSON ***out,
                         int64_t *count);

/* Is it an object whose members are all texts? */
bool ln_json_is_texts(const cJSON *object);

#endif
