/* .safetensors: the bytes of the reference implementation, its refusals, and
 * ours of equal names. */
#include "files_support.h"

static void put_safetensors(const char *path, const char *header,
                            const void *numbers, size_t size) {
  uint8_t bytes[2000] = { 0 };
  size_t length = strlen(header);
  bytes[0] = (uint8_t)length;
  bytes[1] = (uint8_t)(length >> 8);
  memcpy(bytes + 8, header, length);
  if (size > 0) memcpy(bytes + 8 + length, numbers, size);
  put_file(path, bytes, 8 + length + size);
}

static ln_status read_table(ln_tensor_table *t) {
  char *metadata = NULL;
  ln_status status = ln_safetensors_read("a.safetensors", t, &metadata);
  if (status == LN_OK) free(metadata);
  return status;
}

static const char *const header =
    "{\"__metadata__\":{\"a\":\"\xc3\xa4\",\"b\":\"\\\"1\\n\"},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
    "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[4,12]},"
    "\"c\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[12,12]}}";

START_TEST(bytes_are_those_of_the_reference) {
  ln_tensor *a = make((ln_shape){ 0 }, NULL);
  ln_tensor *b = make(LN_SHAPE(2, 1), NULL);
  ln_tensor *c = make(LN_SHAPE(0, 5), NULL);
  ln_tensor_table one = { 3, (char *[]){ "c", "a", "b.weight" },
                          (ln_tensor *[]){ c, a, b } };
  ck_ok(ln_safetensors_write("a.safetensors", &one,
                             " {\"b\": \"\\\"1\\n\", \"a\": \"\xc3\xa4\"} "));
  uint8_t *bytes;
  size_t size, length = strlen(header), padded = (length + 7) / 8 * 8;
  ck_ok(ln_file_read("a.safetensors", &bytes, &size));
  ck_assert_uint_eq(size, 8 + padded + 12);
  ck_assert_uint_eq(bytes[0] + 256u * bytes[1], padded);
  ck_assert_mem_eq(bytes + 8, header, length);
  for (size_t i = length; i < padded; i++) ck_assert_int_eq(bytes[8 + i], ' ');
  ck_assert_mem_eq(bytes + 8 + padded, "\0\0\x80\x3f\0\0\x80\x3f\0\0\0\x40",
                   12);
  free(bytes);
  ln_tensor_release(a);
  ln_tensor_release(b);
  ln_tensor_release(c);
}
END_TEST

START_TEST(what_is_written_is_read) {
  ln_tensor *a = make(LN_SHAPE(2, 3), NULL), *part;
  ck_ok(ln_tensor_narrow(a, 1, 1, 2, &part));
  ln_tensor_table table = { 2, (char *[]){ "part", "all" },
                            (ln_tensor *[]){ part, a } },
                  back;
  char *metadata;
  ck_ok(ln_safetensors_write("a.safetensors", &table, "{\"k\":\"v\"}"));
  ck_ok(ln_safetensors_read("a.safetensors", &back, &metadata));
  ck_assert_str_eq(metadata, "{\"k\":\"v\"}");
  ck_assert_int_eq(back.count, 2);
  ck_assert_str_eq(back.names[0], "all");
  check_tensor(back.tensors[0], LN_SHAPE(2, 3), NULL);
  ck_assert_str_eq(back.names[1], "part");
  check_tensor(back.tensors[1], LN_SHAPE(2, 2), (float[]){ 2, 3, 5, 6 });
  free(metadata);
  ln_tensor_table_free(&back);
  ln_tensor_release(a);
  ln_tensor_release(part);
}
END_TEST

START_TEST(an_empty_table_is_a_table) {
  ln_tensor_table empty = { 0 }, back;
  char *metadata;
  ck_ok(ln_safetensors_write("a.safetensors", &empty, NULL));
  ck_ok(ln_safetensors_read("a.safetensors", &back, &metadata));
  ck_assert_int_eq(back.count, 0);
  ck_assert_ptr_null(metadata);
  ln_tensor_table_free(&back);
}
END_TEST

static const struct {
  const char *type, *bytes;
  size_t size;
  float first, second;
} types[] = {
  { "F64", "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x04\xc0", 16, 1, -2.5f },
  { "F32", "\0\0\x80\x3f\0\0\x20\xc0", 8, 1, -2.5f },
  { "F16", "\0\x3c\0\xc1", 4, 1, -2.5f },
  { "BF16", "\x80\x3f\x20\xc0", 4, 1, -2.5f },
  { "I64", "\5\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16, 5, -1 },
  { "I32", "\5\0\0\0\xff\xff\xff\xff", 8, 5, -1 },
  { "I16", "\5\0\xff\xff", 4, 5, -1 },
  { "I8", "\5\xff", 2, 5, -1 },
  { "U8", "\5\xff", 2, 5, 255 },
  { "BOOL", "\0\1", 2, 0, 1 },
};

START_TEST(all_number_types_are_read) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    char text[200];
    ln_tensor_table t;
    snprintf(
        text, sizeof text,
        "{\"x\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%zu]}}",
        types[i].type, types[i].size);
    put_safetensors("a.safetensors", text, types[i].bytes, types[i].size);
    ck_ok(read_table(&t));
    check_tensor(t.tensors[0], LN_SHAPE(2),
                 (float[]){ types[i].first, types[i].second });
    ln_tensor_table_free(&t);
  }
}
END_TEST

#define ENTRY(name, type, shape, offsets)                                      \
  "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape                      \
  ",\"data_offsets\":" offsets "}"

/* All stand before 4 bytes of numbers. */
static const char *const accepted[] = {
  " {" ENTRY("a", "U8", "[4]", "[0,4]") "}  \n",
  "{" ENTRY("b", "U8", "[2]", "[2,4]") "," ENTRY("a", "U8", "[2]", "[0,2]") "}",
  "{" ENTRY("b", "U8", "[0]", "[0,0]") "," ENTRY("a", "U8", "[4]", "[0,4]") "}",
  "{\"__metadata__\":null," ENTRY("a", "U8", "[4]", "[0,4]") "}",
  "{\"a\":{\"shape\":[4],\"new\":[],\"data_offsets\":[0,4],\"dtype\":\"U8\"}}",
};

START_TEST(what_the_reference_accepts_is_accepted) {
  for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
    ln_tensor_table t;
    put_safetensors("a.safetensors", accepted[i], "\1\2\3\4", 4);
    ck_ok(read_table(&t));
    ln_tensor_table_free(&t);
  }
}
END_TEST

static const struct {
  const char *header, *sentence;
} refusals[] = {
  { "{" ENTRY("a", "U8", "[3]", "[1,4]") "}", "a hole" },
  { "{" ENTRY("a", "U8", "[1]", "[0,1]") "," ENTRY("b", "U8", "[1]",
                                                   "[3,4]") "}",
    "expected tensor 'b' to begin at byte 1 of the numbers, got 3" },
  { "{" ENTRY("a", "U8", "[3]", "[0,3]") "," ENTRY("b", "U8", "[2]",
                                                   "[2,4]") "}",
    "tensors overlap" },
  { "{" ENTRY("a", "U8", "[3]", "[0,3]") "}", "expected 3 bytes of numbers, "
                                              "got 4" },
  { "{" ENTRY("a", "U8", "[5]", "[0,5]") "}", "expected 5 bytes of numbers, "
                                              "got 4" },
  { "{}", "expected 0 bytes of numbers, got 4" },
  { "{" ENTRY("a", "U8", "[3]", "[0,4]") "}",
    "expected 3 numbers of 1 bytes "
    "for the shape (3) of tensor 'a', got data_offsets for 4 bytes" },
  { "{" ENTRY("a", "F32", "[4]", "[0,4]") "}",
    "expected 4 numbers of 4 bytes" },
  { "{" ENTRY("a", "U8", "[4294967296,4294967296]", "[0,4]") "}",
    "tensor 'a': " },
  { "{" ENTRY("a", "U8", "[99999999999999999999]", "[0,4]") "}", "2^53" },
  { "{" ENTRY("a", "U8", "[-4]", "[0,4]") "}", "2^53" },
  { "{" ENTRY("a", "U8", "[4.5]", "[0,4]") "}", "2^53" },
  { "{" ENTRY("a", "U8", "[\"4\"]", "[0,4]") "}", "2^53" },
  { "{" ENTRY("a", "U8", "4", "[0,4]") "}", "a list as shape" },
  { "{" ENTRY("a", "U8", "[1,1,1,1,1,1,1,1,4]", "[0,4]") "}",
    "at most 8 dims" },
  { "{" ENTRY("a", "U8", "[4]", "[4,0]") "}", "data_offsets [begin, end]" },
  { "{" ENTRY("a", "U8", "[4]", "[0,2,4]") "}", "data_offsets [begin, end]" },
  { "{" ENTRY("a", "U8", "[4]", "[0]") "}", "data_offsets [begin, end]" },
  { "{" ENTRY("a", "U8", "[4]", "[-1,3]") "}", "data_offsets [begin, end]" },
  { "{" ENTRY("a", "F8", "[4]", "[0,4]") "}", "got 'F8'" },
  { "{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", "a text as dtype" },
  { "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", "a list as shape" },
  { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", "data_offsets" },
  { "{\"a\":[1]}", "an object of tensor 'a'" },
  { "{" ENTRY("a", "U8", "[4]", "[0,4]") "," ENTRY("a", "U8", "[4]",
                                                   "[0,4]") "}",
    "got 'a' twice" },
  { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],"
    "\"data_offsets\":[0,4]}}",
    "got 'dtype' twice" },
  { "{\"__metadata__\":{\"a\":1}," ENTRY("a", "U8", "[4]", "[0,4]") "}",
    "expected texts by name in __metadata__" },
  { "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}," ENTRY("a", "U8", "[4]",
                                                       "[0,4]") "}",
    "got 'a' twice" },
  { "{" ENTRY("a\\u0000", "U8", "[4]", "[0,4]") "}",
    "offset 11: expected a "
    "text without zero bytes" },
  { "{" ENTRY("a\n", "U8", "[4]", "[0,4]") "}", "a control character" },
  { "{" ENTRY("a\xff", "U8", "[4]", "[0,4]") "}", "a header in UTF-8" },
  { "{" ENTRY("a", "U8", "[4]", "[0,4]") "} x", "one JSON object" },
  { "[]", "one JSON object" },
  { "{", "expected JSON" },
  { "{\"a", "a closing quote" },
  { "", "expected JSON" },
};

START_TEST(what_the_reference_refuses_is_refused) {
  ln_tensor_table t;
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    put_safetensors("a.safetensors", refusals[i].header, "\1\2\3\4", 4);
    ck_refused(read_table(&t), refusals[i].sentence);
  }
}
END_TEST

START_TEST(header_lengths_are_checked) {
  ln_tensor_table t;
  put_file("a.safetensors", "\2\0\0\0\0\0\0", 7);
  ck_refused(read_table(&t), "in 8 bytes, got 7");
  put_file("a.safetensors", "\3\0\0\0\0\0\0\0{}", 10);
  ck_refused(read_table(&t), "expected a header of 3 bytes, got 2");
  put_file("a.safetensors", "\1\xe1\xf5\5\0\0\0\0{}", 10);
  ck_refused(read_table(&t), "at most 100000000 bytes, got 100000001");
  put_file("a.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
  ck_refused(read_table(&t), "got 18446744073709551615");
}
END_TEST

/* A megabyte of "[0,0,0,..." would be eighty as a tree of values. */
START_TEST(a_header_of_countless_values_is_refused) {
  size_t size = 1 << 20;
  char *file = malloc(8 + size);
  memset(file, 0, 8);
  file[2] = 0x10;
  for (size_t i = 0; i < size; i++) file[8 + i] = i % 2 ? '0' : ',';
  memcpy(file + 8, "{\"a\":[0", 7);
  put_file("a.safetensors", file, 8 + size);
  free(file);
  ln_tensor_table t;
  ck_refused(read_table(&t), "values in the header of a file of this size");
}
END_TEST

START_TEST(what_cannot_be_written_is_refused) {
  ln_tensor *t = make(LN_SHAPE(2), NULL);
  ln_tensor_table table = { 1, (char *[]){ "__metadata__" }, &t };
  ck_refused(ln_safetensors_write("a", &table, NULL), "keeps for itself");
  table.names[0] = "a";
  ck_refused(ln_safetensors_write("a", &table, "{\"a\":1}"), "are texts");
  ck_refused(ln_safetensors_write("a", &table, "[]"), "one JSON object");
  ck_refused(ln_safetensors_write("a", &table, "{\"a\":\"\",\"a\":\"\"}"),
             "got 'a' twice");
  ck_assert_int_eq(count_files("."), 0);
  ln_tensor_release(t);
}
END_TEST

RUN_IN_FOLDERS("files: safetensors", bytes_are_those_of_the_reference,
               what_is_written_is_read, an_empty_table_is_a_table,
               all_number_types_are_read,
               what_the_reference_accepts_is_accepted,
               what_the_reference_refuses_is_refused,
               header_lengths_are_checked,
               a_header_of_countless_values_is_refused,
               what_cannot_be_written_is_refused)
