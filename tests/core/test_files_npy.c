/* .npy and .npz: what numpy writes can be read, what we write can be read, and
 * what cannot be meant is refused by a sentence. */
#include <zlib.h>

#include "files_support.h"

/* A .npy file of version `major`, made by hand. */
static size_t build_npy(uint8_t *out, int major, const char *dict,
                        const void *numbers, size_t size) {
  size_t length = strlen(dict), begin = major == 1 ? 10 : 12;
  memcpy(out, "\x93NUMPY", 6);
  out[6] = (uint8_t)major;
  out[7] = 0;
  for (size_t i = 8; i < begin; i++)
    out[i] = (uint8_t)(length >> (8 * (i - 8)));
  memcpy(out + begin, dict, length);
  memcpy(out + begin + length, numbers, size);
  return begin + length + size;
}

static void put_npy(const char *path, int major, const char *dict,
                    const void *numbers, size_t size) {
  uint8_t bytes[1000];
  put_file(path, bytes, build_npy(bytes, major, dict, numbers, size));
}

static void check_round_trip(ln_shape shape) {
  ln_tensor *t = make(shape, NULL), *u;
  ck_ok(ln_npy_write("a.npy", t));
  ck_ok(ln_npy_write("b.npy", t));
  check_same_file("a.npy", "b.npy");
  ck_ok(ln_npy_read("a.npy", &u));
  check_tensor(u, shape, NULL);
  ln_tensor_release(t);
  ln_tensor_release(u);
}

START_TEST(what_is_written_is_read) {
  check_round_trip((ln_shape){ 0 });
  check_round_trip(LN_SHAPE(0));
  check_round_trip(LN_SHAPE(7));
  check_round_trip(LN_SHAPE(2, 0, 3));
  check_round_trip(LN_SHAPE(2, 3, 4, 5));
  check_round_trip(LN_SHAPE(1, 1, 2, 1, 3, 1, 1, 2));
}
END_TEST

START_TEST(numbers_begin_at_a_multiple_of_64) {
  ln_tensor *t = make(LN_SHAPE(2), (float[]){ 1.5f, -2 });
  ck_ok(ln_npy_write("a.npy", t));
  uint8_t *bytes;
  size_t size;
  ck_ok(ln_file_read("a.npy", &bytes, &size));
  ck_assert_uint_eq(size, 128 + 8);
  ck_assert_mem_eq(bytes,
                   "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': "
                   "False, 'shape': (2,), } ",
                   68);
  ck_assert_mem_eq(bytes + 127, "\n\0\0\xc0\x3f\0\0\0\xc0", 9);
  free(bytes);
  ln_tensor_release(t);
}
END_TEST

START_TEST(a_view_is_written_as_it_looks) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL), *part, *u;
  ck_ok(ln_tensor_narrow(t, 1, 1, 2, &part));
  ck_ok(ln_npy_write("a.npy", part));
  ck_ok(ln_npy_read("a.npy", &u));
  check_tensor(u, LN_SHAPE(2, 2), (float[]){ 2, 3, 5, 6 });
  ln_tensor_release(t);
  ln_tensor_release(part);
  ln_tensor_release(u);
}
END_TEST

/* Each type with two numbers, as float32. */
static const struct {
  const char *type, *bytes;
  size_t size;
  float first, second;
} types[] = {
  { "<f4", "\0\0\x80\x3f\0\0\x20\xc0", 8, 1, -2.5f },
  { ">f4", "\x3f\x80\0\0\xc0\x20\0\0", 8, 1, -2.5f },
  { "<f8", "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x04\xc0", 16, 1, -2.5f },
  { ">f8", "\x3f\xf0\0\0\0\0\0\0\xc0\x04\0\0\0\0\0\0", 16, 1, -2.5f },
  { "<f2", "\0\x3c\0\xc1", 4, 1, -2.5f },
  { ">f2", "\x3c\0\xc1\0", 4, 1, -2.5f },
  { "<f2", "\x01\0\x01\x84", 4, 0x1p-24f, -0x1.004p-14f }, /* smallest */
  { "<f2", "\xff\x7b\0\x80", 4, 65504, 0 },                /* largest */
  { "|u1", "\x07\xff", 2, 7, 255 },
  { "|i1", "\x07\xff", 2, 7, -1 },
  { "|b1", "\0\1", 2, 0, 1 },
  { "<u2", "\x02\x01\xff\xff", 4, 258, 65535 },
  { ">u2", "\x01\x02\xff\xff", 4, 258, 65535 },
  { "<i2", "\x02\x01\xff\xff", 4, 258, -1 },
  { ">i2", "\x01\x02\xff\xfe", 4, 258, -2 },
  { "<u4", "\x04\x03\0\0\xff\xff\xff\xff", 8, 772, 4294967296.0f },
  { "<i4", "\x04\x03\0\0\xff\xff\xff\xff", 8, 772, -1 },
  { ">i4", "\0\0\x03\x04\xff\xff\xff\xfe", 8, 772, -2 },
  { "<i8", "\5\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16, 5, -1 },
  { ">i8", "\0\0\0\0\0\0\0\5\xff\xff\xff\xff\xff\xff\xff\xfe", 16, 5, -2 },
  { "<u8", "\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", 16, 5, 0x1p63f },
};

START_TEST(all_number_types_are_read) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    char dict[100];
    ln_tensor *t;
    snprintf(dict, sizeof dict,
             "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }\n",
             types[i].type);
    put_npy("a.npy", 1, dict, types[i].bytes, types[i].size);
    ck_ok(ln_npy_read("a.npy", &t));
    check_tensor(t, LN_SHAPE(2), (float[]){ types[i].first, types[i].second });
    ln_tensor_release(t);
  }
}
END_TEST

START_TEST(fortran_order_is_turned) {
  static const char *const dict =
      "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 2), }";
  /* element (i,j,k) at i + 2 j + 6 k */
  static const uint8_t numbers[] = { 1, 7, 3, 9, 5, 11, 2, 8, 4, 10, 6, 12 };
  ln_tensor *t;
  put_npy("a.npy", 1, dict, numbers, sizeof numbers);
  ck_ok(ln_npy_read("a.npy", &t));
  check_tensor(t, LN_SHAPE(2, 3, 2), NULL);
  ln_tensor_release(t);
}
END_TEST

static const char *const spellings[] = {
  "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }\n",
  "{'shape':(1,2),'descr':'|u1','fortran_order':False}",
  "{\"descr\": \"|u1\", \"fortran_order\": False, \"shape\": (1L, 2L)}  \n",
  " { 'descr' : '|u1' , 'fortran_order' : False , 'shape' : ( 1 , 2 , ) , } ",
};

START_TEST(the_dict_may_be_spelt_freely) {
  for (int major = 1; major <= 3; major++)
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
      ln_tensor *t;
      put_npy("a.npy", major, spellings[i], "\1\2", 2);
      ck_ok(ln_npy_read("a.npy", &t));
      check_tensor(t, LN_SHAPE(1, 2), NULL);
      ln_tensor_release(t);
    }
}
END_TEST

#define DICT(type, order, shape)                                               \
  "{'descr': " type ", 'fortran_order': " order ", 'shape': " shape ", }"

static const struct {
  const char *dict, *sentence;
} refusals[] = {
  { DICT("'|O'", "False", "(2,)"), "got Python objects" },
  { DICT("[('a', '<f4')]", "False", "(2,)"), "got a structured type" },
  { DICT("'<c8'", "False", "(2,)"), "got type '<c8'" },
  { DICT("'<U3'", "False", "(2,)"), "got type '<U3'" },
  { DICT("'<f16'", "False", "(2,)"), "got type '<f16'" },
  { DICT("'|f4'", "False", "(2,)"), "got type '|f4'" },
  { DICT("''", "False", "(2,)"), "got type ''" },
  { DICT("'0123456789012345678901234567890123456789'", "False", "(2,)"),
    "expected a shorter text" },
  { DICT("'|u1'", "Maybe", "(2,)"), "expected True or False, got 'M'" },
  { DICT("'|u1'", "False", "(-2,)"), "expected a size or ')', got '-'" },
  { DICT("'|u1'", "False", "(2 2)"), "expected ',' or ')', got '2'" },
  { DICT("'|u1'", "False", "(99999999999999999999,)"), "below 2^63" },
  { DICT("'|u1'", "False", "(1,1,1,1,1,1,1,1,2)"), "at most 8 dims" },
  { DICT("'|u1'", "False", "(4294967296,4294967296)"), "a.npy" },
  { DICT("'<f8'", "False", "(100000000000000000,)"),
    "expected 100000000000000000 numbers of 8 bytes for the shape "
    "(100000000000000000), got 2 bytes" },
  { DICT("'|u1'", "False", "(3,)"), "offset 67: expected 3 numbers of 1 "
                                    "bytes for the shape (3), got 2 bytes" },
  { DICT("'|u1'", "False", "(1,)"), "expected 1 numbers of 1 bytes" },
  { "{'descr': '|u1', 'shape': (2,)}", "all three" },
  { "{'descr': '|u1', 'descr': '|u1'}", "once each" },
  { "{'other': '|u1'}", "once each" },
  { "{'descr' '|u1'}", "expected ':'" },
  { "{'descr': '|u1' 'x'}", "expected ',' or '}'" },
  { DICT("'|u1'", "False", "(2,)") " x", "expected spaces up to" },
  { "", "expected '{', got the end of the header" },
};

START_TEST(what_cannot_be_meant_is_refused) {
  ln_tensor *t;
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    put_npy("a.npy", 1, refusals[i].dict, "\1\2", 2);
    ck_refused(ln_npy_read("a.npy", &t), refusals[i].sentence);
  }
  put_npy("a.npy", 4, spellings[0], "\1\2", 2);
  ck_refused(ln_npy_read("a.npy", &t), "offset 6: expected version 1.0, 2.0 "
                                       "or 3.0, got 4.0");
  put_file("a.npy", "\x93NUMPY\1\0\xff\xff{}", 12);
  ck_refused(ln_npy_read("a.npy", &t),
             "offset 8: expected a header of 65535 bytes, got a file of 12");
}
END_TEST

/* ---- .npz ---------------------------------------------------------------- */

START_TEST(tables_are_written_and_read) {
  ln_tensor *a = make(LN_SHAPE(2, 3), NULL);
  ln_tensor *b = make((ln_shape){ 0 }, NULL);
  ln_tensor *c = make(LN_SHAPE(0, 4), NULL);
  ln_tensor_table one = { 3, (char *[]){ "b", "a.weight", "\xc3\xa4" },
                          (ln_tensor *[]){ b, a, c } };
  ln_tensor_table two = { 3, (char *[]){ "\xc3\xa4", "b", "a.weight" },
                          (ln_tensor *[]){ c, b, a } };
  ck_ok(ln_npz_write("one.npz", &one));
  ck_ok(ln_npz_write("two.npz", &two));
  check_same_file("one.npz", "two.npz");
  ln_tensor_table back;
  ck_ok(ln_npz_read("one.npz", &back));
  ck_assert_int_eq(back.count, 3);
  ck_assert_str_eq(back.names[0], "a.weight");
  check_tensor(back.tensors[0], LN_SHAPE(2, 3), NULL);
  ck_assert_str_eq(back.names[1], "b");
  check_tensor(back.tensors[1], (ln_shape){ 0 }, NULL);
  ck_assert_str_eq(back.names[2], "\xc3\xa4");
  check_tensor(back.tensors[2], LN_SHAPE(0, 4), NULL);
  ln_tensor_table_free(&back);
  ln_tensor_release(a);
  ln_tensor_release(b);
  ln_tensor_release(c);
}
END_TEST

START_TEST(an_empty_table_is_a_table) {
  ln_tensor_table empty = { 0 }, back;
  ck_ok(ln_npz_write("a.npz", &empty));
  ck_ok(ln_npz_read("a.npz", &back));
  ck_assert_int_eq(back.count, 0);
  ln_tensor_table_free(&back);
}
END_TEST

START_TEST(names_must_differ) {
  ln_tensor *t = make(LN_SHAPE(2), NULL);
  ln_tensor_table table = { 2, (char *[]){ "a", "a" },
                            (ln_tensor *[]){ t, t } };
  ck_refused(ln_npz_write("a.npz", &table), "got two tensors 'a'");
  table.names = (char *[]){ "a", "\xff" };
  ck_refused(ln_npz_write("a.npz", &table), "expected names in UTF-8");
  ck_assert_int_eq(count_files("."), 0);
  ln_tensor_release(t);
}
END_TEST

/* ---- a zip made by hand: one entry, as numpy.savez_compressed writes it -- */

typedef struct zip_recipe {
  const char *name;
  int method, flags;
  bool zip64, wrong_crc, wrong_size, twice;
} zip_recipe;

static uint8_t *put_number(uint8_t *b, size_t size, uint64_t n) {
  for (size_t i = 0; i < size; i++) b[i] = i < 8 ? (uint8_t)(n >> (8 * i)) : 0;
  return b + size;
}

static size_t deflate_raw(const uint8_t *from, size_t size, uint8_t *to,
                          size_t room) {
  z_stream z = { .next_out = to, .avail_out = (uInt)room };
  z.next_in = (uint8_t *)(uintptr_t)from;
  z.avail_in = (uInt)size;
  deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
  deflateEnd(&z);
  return room - z.avail_out;
}

static uint8_t *put_directory_entry(uint8_t *b, const zip_recipe *r,
                                    uint32_t crc, size_t packed, size_t size) {
  memcpy(b, "PK\1\2\x2d\0\x2d\0", 8);
  b = put_number(b + 8, 2, (uint64_t)r->flags);
  b = put_number(b, 2, (uint64_t)r->method);
  b = put_number(b, 4, 0x5a6b7c8d); /* some time */
  b = put_number(b, 4, crc);
  b = put_number(b, 4, r->zip64 ? 0xffffffff : packed);
  b = put_number(b, 4, r->zip64 ? 0xffffffff : size);
  b = put_number(b, 2, strlen(r->name));
  b = put_number(b, 2, r->zip64 ? 28 : 0);
  b = put_number(b, 10, 0);
  b = put_number(b, 4, r->zip64 ? 0xffffffff : 0);
  memcpy(b, r->name, strlen(r->name));
  b += strlen(r->name);
  if (!r->zip64) return b;
  b = put_number(put_number(b, 2, 1), 2, 24);
  return put_number(put_number(put_number(b, 8, size), 8, packed), 8, 0);
}

static uint8_t *put_end(uint8_t *b, const zip_recipe *r, size_t count,
                        size_t begin, size_t end) {
  if (r->zip64) {
    memcpy(b, "PK\6\6", 4);
    b = put_number(put_number(b + 4, 8, 44), 20, 0);
    b = put_number(b - 8, 8, count);
    b = put_number(b, 8, count);
    b = put_number(put_number(b, 8, end - begin), 8, begin);
    memcpy(b, "PK\6\7", 4);
    b = put_number(put_number(put_number(b + 4, 4, 0), 8, end), 4, 1);
    count = 0xffff;
    begin = 0xffffffff;
  }
  memcpy(b, "PK\5\6", 4);
  b = put_number(put_number(b + 4, 4, 0), 2, count);
  b = put_number(put_number(b, 2, count), 4, end - begin);
  return put_number(put_number(b, 4, begin), 2, 0);
}

static void put_zip(const char *path, const zip_recipe *r) {
  uint8_t npy[200], packed[200], file[1000], *b = file;
  size_t size = build_npy(npy, 1, spellings[0], "\1\2", 2), n = size;
  memcpy(packed, npy, size);
  if (r->method == 8) n = deflate_raw(npy, size, packed, sizeof packed);
  uint32_t crc = (uint32_t)crc32(0, npy, (uInt)size) + r->wrong_crc;
  size += r->wrong_size;
  memcpy(b, "PK\3\4", 4);
  b = put_number(b + 4, 22, 0); /* only the lengths of the names matter */
  b = put_number(put_number(b, 2, strlen(r->name)), 2, 0);
  memcpy(b, r->name, strlen(r->name));
  b += strlen(r->name);
  memcpy(b, packed, n);
  b += n;
  size_t begin = (size_t)(b - file);
  b = put_directory_entry(b, r, crc, n, size);
  if (r->twice) b = put_directory_entry(b, r, crc, n, size);
  b = put_end(b, r, r->twice ? 2 : 1, begin, (size_t)(b - file));
  put_file(path, file, (size_t)(b - file));
}

START_TEST(stored_deflated_and_zip64_are_read) {
  for (int i = 0; i < 4; i++) {
    zip_recipe r = { "x.npy", .method = i & 1 ? 8 : 0, .zip64 = i >> 1 };
    ln_tensor_table t;
    put_zip("a.npz", &r);
    ck_ok(ln_npz_read("a.npz", &t));
    ck_assert_int_eq(t.count, 1);
    ck_assert_str_eq(t.names[0], "x");
    check_tensor(t.tensors[0], LN_SHAPE(1, 2), NULL);
    ln_tensor_table_free(&t);
  }
}
END_TEST

static const struct {
  zip_recipe recipe;
  const char *sentence;
} bad_zips[] = {
  { { "x.npy", .wrong_crc = true },
    "offset 35: expected bytes with the "
    "checksum (CRC-32)" },
  { { "x.npy", .method = 8, .wrong_crc = true }, "(CRC-32)" },
  { { "x.npy", .wrong_size = true }, "two equal sizes of a stored entry" },
  { { "x.npy", .method = 8, .wrong_size = true }, "expected deflated bytes" },
  { { "x.npy", .method = 12 }, "stored (0) or deflated (8)" },
  { { "x.npy", .flags = 1 }, "an encrypted one" },
  { { .name = "x.txt" }, "expected entries NAME.npy, got 'x.txt'" },
  { { .name = "npy" }, "expected entries NAME.npy" },
  { { "x.npy", .twice = true }, "entries that overlap" },
};

START_TEST(bad_zips_are_refused) {
  ln_tensor_table t;
  for (size_t i = 0; i < sizeof bad_zips / sizeof bad_zips[0]; i++) {
    put_zip("a.npz", &bad_zips[i].recipe);
    ck_refused(ln_npz_read("a.npz", &t), bad_zips[i].sentence);
  }
  put_file("a.npz", "", 0);
  ck_refused(ln_npz_read("a.npz", &t), "end record");
}
END_TEST

RUN_IN_FOLDERS("files: npy and npz", what_is_written_is_read,
               numbers_begin_at_a_multiple_of_64, a_view_is_written_as_it_looks,
               all_number_types_are_read, fortran_order_is_turned,
               the_dict_may_be_spelt_freely, what_cannot_be_meant_is_refused,
               tables_are_written_and_read, an_empty_table_is_a_table,
               names_must_differ, stored_deflated_and_zip64_are_read,
               bad_zips_are_refused)
