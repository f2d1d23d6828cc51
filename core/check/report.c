/* report.c - writing down what was found; see report.h. */
#include "check/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAGE "docs/author/check-plugin.md"

int64_t ln_count_faults(const ln_checked *c) {
  int64_t n = 0;
  for (int64_t i = 0; i < c->found.count; i++)
    n += c->found.at[i].severity == LN_FAULT;
  return n;
}

static const char *severity(const ln_finding *f) {
  return f->severity == LN_FAULT ? "fault" : "remark";
}

/* "memory.bounds" -> "memorybounds", the page's anchor. */
static const char *anchor(const char *check, char *room) {
  size_t n = 0;
  for (const char *s = check; *s; s++)
    if (*s != '.') room[n++] = *s;
  room[n] = 0;
  return room;
}

static const char *cause_of(const ln_finding *f) {
  const ln_check *row = ln_check_find(f->check);
  return row ? row->cause : "";
}

static void again(const ln_checked *c, const ln_finding *f, char *room,
                  size_t size) {
  snprintf(room, size,
           "lunet check-plugin %s --only %s --level %d --seed %" PRIu64,
           c->target, f->group, c->level, c->seed);
}

static void print_finding(const ln_checked *c, const ln_finding *f) {
  char room[40], command[400];
  printf("%s %s: %s\n", f->layer[0] ? f->layer : c->target, severity(f),
         f->what);
  if (f->where[0]) printf("  where     %s\n", f->where);
  if (f->expected[0]) printf("  expected  %s\n", f->expected);
  if (f->got[0]) printf("  got       %s\n", f->got);
  printf("  cause     %s\n", cause_of(f));
  printf("  check     %s, see " PAGE "#%s\n", f->check, anchor(f->check, room));
  again(c, f, command, sizeof command);
  printf("  again     %s\n", command);
}

static void print_sum(const ln_checked *c) {
  const int64_t faults = ln_count_faults(c), remarks = c->found.count - faults;
  printf("%s: %" PRId64 " fault%s, %" PRId64
         " remark%s (level %d, seed %" PRIu64 ", %.1f s)\n",
         c->target, faults, faults == 1 ? "" : "s", remarks,
         remarks == 1 ? "" : "s", c->level, c->seed, c->seconds);
}

void ln_report_text(const ln_checked *c, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t k = 0; k < c[i].found.count; k++)
      print_finding(&c[i], &c[i].found.at[k]);
    print_sum(&c[i]);
  }
}

/* ---- JSON ---- */

static void print_text(const char *name, const char *s, const char *end) {
  printf("\"%s\": \"", name);
  for (; *s; s++) {
    const unsigned char ch = (unsigned char)*s;
    if (ch == '"' || ch == '\\')
      printf("\\%c", ch);
    else if (ch < 32)
      printf("\\u%04x", ch);
    else
      putchar(ch);
  }
  printf("\"%s", end);
}

static void print_json(const ln_checked *c, const ln_finding *f) {
  char command[400];
  again(c, f, command, sizeof command);
  printf("\n      { ");
  print_text("severity", severity(f), ", ");
  print_text("check", f->check, ", ");
  print_text("layer", f->layer, ",\n        ");
  print_text("what", f->what, ",\n        ");
  print_text("where", f->where, ",\n        ");
  print_text("expected", f->expected, ", ");
  print_text("got", f->got, ",\n        ");
  print_text("cause", cause_of(f), ",\n        ");
  print_text("page", PAGE, ",\n        ");
  print_text("again", command, " }");
}

void ln_report_json(const ln_checked *c, int64_t n) {
  printf("[");
  for (int64_t i = 0; i < n; i++) {
    printf("%s\n  { ", i ? "," : "");
    print_text("target", c[i].target, ", ");
    printf("\"level\": %d, \"seed\": %" PRIu64 ", \"seconds\": %.3f, "
           "\"faults\": %" PRId64 ",\n    \"findings\": [",
           c[i].level, c[i].seed, c[i].seconds, ln_count_faults(&c[i]));
    for (int64_t k = 0; k < c[i].found.count; k++) {
      if (k) printf(",");
      print_json(&c[i], &c[i].found.at[k]);
    }
    printf(" ] }");
  }
  printf("\n]\n");
}

/* ---- JUnit ---- */

static void write_escaped(FILE *f, const char *s) {
  for (; *s; s++) {
    const unsigned char ch = (unsigned char)*s;
    if (ch == '<' || ch == '>' || ch == '&' || ch == '"')
      fprintf(f, "&#%d;", ch);
    else
      fputc(ch < 32 ? ' ' : ch, f);
  }
}

static const ln_finding *fault_of(const ln_checked *c, const char *check) {
  for (int64_t i = 0; i < c->found.count; i++)
    if (c->found.at[i].severity == LN_FAULT &&
        !strcmp(c->found.at[i].check, check))
      return &c->found.at[i];
  return NULL;
}

static void write_case(FILE *out, const ln_checked *c, const ln_check *row) {
  const ln_finding *f = fault_of(c, row->name);
  fprintf(out, "    <testcase classname=\"");
  write_escaped(out, c->target);
  fprintf(out, "\" name=\"%s\"", row->name);
  if (!f) {
    fprintf(out, "/>\n");
    return;
  }
  fprintf(out, "><failure message=\"");
  write_escaped(out, f->what);
  fprintf(out, "\">");
  write_escaped(out, f->where);
  fprintf(out, "</failure></testcase>\n");
}

static void write_suite(FILE *out, const ln_checked *c) {
  int n = 0;
  while (ln_check_row(n)) n++;
  fprintf(out, "  <testsuite name=\"");
  write_escaped(out, c->target);
  fprintf(out, "\" tests=\"%d\" failures=\"%" PRId64 "\" time=\"%.3f\">\n", n,
          ln_count_faults(c), c->seconds);
  for (int i = 0; i < n; i++) write_case(out, c, ln_check_row(i));
  fprintf(out, "  </testsuite>\n");
}

ln_status ln_report_junit(const ln_checked *c, int64_t n, const char *path) {
  FILE *out = fopen(path, "w");
  if (!out) return ln_set_error("%s: %s", path, strerror(errno));
  fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
  for (int64_t i = 0; i < n; i++) write_suite(out, &c[i]);
  fprintf(out, "</testsuites>\n");
  return fclose(out) ? ln_set_error("%s: %s", path, strerror(errno)) : LN_OK;
}
