/* command.c - the command line of `lunet check-plugin`, and the order of the
 * checks. */
#include "check/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/build.h"
#include "check/report.h"
#include "check/runner.h"
#include "check/sanitizer.h"
#include "host/registry.h"

static const char usage[] =
    "usage: lunet check-plugin [options] FILE.so|FILE.c|WORD ...\n"
    "\n"
    "Checks layers: each a plugin file, the C source of one, or the word of a\n"
    "layer that lunet finds. What is found is printed with its cause.\n"
    "\n"
    "  --level 1..5    how thoroughly (3): 1 the file and its tables, 2 "
    "options,\n"
    "                  shapes and memory, 3 all checks, 4 more samples, and "
    "the\n"
    "                  sanitizers where there is a source, 5 many samples\n"
    "  --only GROUP    load, descriptor, options, shapes, memory, numbers,\n"
    "                  methods, promises, threads, behaviour, cost, session,\n"
    "                  sanitizer\n"
    "  --seed N        draws other options, shapes and numbers (1)\n"
    "  --sanitize      builds FILE.c with AddressSanitizer and UBSan, too\n"
    "  --json          the findings as JSON\n"
    "  --junit FILE    writes them as JUnit's XML, too\n"
    "  --list          all checks\n"
    "\n"
    "Exit status: 0 no faults, 1 faults, 2 the request cannot be met.\n";

enum { EXIT_FAULTS = 1, EXIT_USAGE = 2, MOST_LAYERS = 64, MOST_AT_ONCE = 8 };

typedef struct request {
  int level;
  uint64_t seed;
  const char *only, *junit;
  bool json, sanitize, help, list;
} request;

/* ---- reading ---- */

static int refuse(const char *what, const char *word) {
  fprintf(stderr,
          "lunet check-plugin: %s '%s'; see lunet check-plugin --help\n", what,
          word);
  return EXIT_USAGE;
}

static bool read_number(const char *text, uint64_t low, uint64_t high,
                        uint64_t *out) {
  char *end = NULL;
  errno = 0;
  *out = text ? strtoull(text, &end, 10) : 0;
  const bool starts_well = text && *text >= '0' && *text <= '9';
  return starts_well && !*end && !errno && *out >= low && *out <= high;
}

static bool is_group(const char *name) {
  const ln_group *g;
  for (int i = 0; name && (g = ln_group_row(i)); i++)
    if (!strcmp(g->name, name)) return true;
  return name && !strcmp(name, "sanitizer");
}

static int refuse_group(const char *name) {
  const ln_group *g;
  fprintf(stderr,
          "lunet check-plugin: --only takes a group of checks, not "
          "'%s'; there are",
          name ? name : "");
  for (int i = 0; (g = ln_group_row(i)); i++) fprintf(stderr, " %s,", g->name);
  fprintf(stderr, " sanitizer\n");
  return EXIT_USAGE;
}

/* Options and targets may be mixed: targets are moved to the front. */
static int read_request(int argc, char **argv, request *r, int *n_targets) {
  uint64_t n;
  *r = (request){ .level = 3, .seed = 1 };
  *n_targets = 0;
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    char *next = i + 1 < argc ? argv[i + 1] : NULL;
    if (word[0] != '-') {
      argv[(*n_targets)++] = argv[i];
    } else if (!strcmp(word, "--level")) {
      if (!read_number(next, 1, 5, &n))
        return refuse("--level takes 1 to 5, not", next ? next : "");
      r->level = (int)n, i++;
    } else if (!strcmp(word, "--seed")) {
      if (!read_number(next, 0, UINT64_MAX, &r->seed))
        return refuse("--seed takes a whole number, not", next ? next : "");
      i++;
    } else if (!strcmp(word, "--only")) {
      if (!is_group(next)) return refuse_group(next);
      r->only = next, i++;
    } else if (!strcmp(word, "--junit")) {
      if (!next) return refuse("no file follows", word);
      r->junit = next, i++;
    } else if (!strcmp(word, "--json")) {
      r->json = true;
    } else if (!strcmp(word, "--sanitize")) {
      r->sanitize = true;
    } else if (!strcmp(word, "--list")) {
      r->list = true;
    } else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
      r->help = true;
    } else {
      return refuse("unknown option", word);
    }
  }
  return 0;
}

/* ---- targets ---- */

typedef struct target {
  const char *name;   /* as the user wrote it */
  const char *source; /* NULL: there is none */
  char path[PATH_MAX], only_word[64];
} target;

static bool ends_with(const char *s, const char *end) {
  const size_t n = strlen(s), k = strlen(end);
  return n > k && !strcmp(s + n - k, end);
}

static ln_status find_word(const char *word, target *t) {
  const ln_known_layer *known;
  if (ln_registry_find(word, &known)) return LN_FAILED;
  snprintf(t->path, sizeof t->path, "%s", known->library->path);
  snprintf(t->only_word, sizeof t->only_word, "%s", word);
  return LN_OK;
}

static ln_status find_file(const char *name, target *t) {
  struct stat s;
  static const char kinds[] = "check-plugin takes a plugin (.so), a source in "
                              "C (.c) or C++ (.cpp, .cc, .cxx), or the word "
                              "of a layer such as conv2d";
  if (!realpath(name, t->path) || access(name, R_OK))
    return ln_set_error("%s: %s\n  %s", name, strerror(errno), kinds);
  if (!stat(name, &s) && S_ISDIR(s.st_mode))
    return ln_set_error("%s is a folder\n  %s", name, kinds);
  if (!ends_with(name, ".so"))
    return ln_set_error("%s is not the name of a plugin\n  %s", name, kinds);
  return LN_OK;
}

static ln_status find_target(const char *name, target *t) {
  *t = (target){ .name = name };
  if (ln_is_source(name)) {
    t->source = name;
    return ln_build_plugin(name, "", t->path, sizeof t->path);
  }
  if (strpbrk(name, "/.")) return find_file(name, t);
  if (!find_word(name, t)) return LN_OK;
  return access(name, F_OK) ? LN_FAILED : find_file(name, t);
}

/* The sanitizers are put in by the compiler. */
static ln_status check_wishes(const request *r, const target *t) {
  const bool only = r->only && !strcmp(r->only, "sanitizer");
  if (t->source || !(r->sanitize || only)) return LN_OK;
  return ln_set_error("the sanitizers need a source to compile, and %s is none"
                      "\n  try the .c that it was built from",
                      t->name);
}

/* ---- checking ---- */

static bool is_wanted(const request *r, const ln_group *g) {
  return r->only ? !strcmp(r->only, g->name) : g->level <= r->level;
}

static int samples_of(int level) {
  static const int samples[] = { 0, 4, 6, 8, 24, 120 };
  return samples[level];
}

/* Groups at work, finished in the order of their start. */
typedef struct queue {
  ln_run runs[MOST_AT_ONCE];
  int count, most;
  ln_findings *found;
} queue;

static void finish_first(queue *q) {
  ln_run_finish(&q->runs[0], q->found);
  q->count--;
  memmove(q->runs, q->runs + 1, (size_t)q->count * sizeof *q->runs);
}

static void run_groups(const request *r, const target *t, const char *word,
                       ln_findings *found) {
  const ln_checking how = { .path = t->path,
                            .word = word,
                            .level = r->level,
                            .seed = r->seed,
                            .samples = samples_of(r->level) };
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  queue q = { .most = cores < MOST_AT_ONCE ? (int)cores : MOST_AT_ONCE,
              .found = found };
  const ln_group *g;
  for (int i = 0; (g = ln_group_row(i)); i++) {
    if (g->of_file != (word == NULL) || !is_wanted(r, g)) continue;
    if (q.count > 0 && q.count >= q.most) finish_first(&q);
    if (ln_run_start(g, &how, &q.runs[q.count])) q.count++;
  }
  while (q.count) finish_first(&q);
}

static bool wants_sanitizer(const request *r, const target *t) {
  if (r->only) return !strcmp(r->only, "sanitizer") && t->source;
  return t->source && (r->sanitize || r->level >= 4);
}

static void check(const request *r, const target *t, ln_checked *out) {
  static char words[MOST_LAYERS][64];
  const double start = ln_seconds();
  snprintf(out->target, sizeof out->target, "%s", t->name);
  out->seed = r->seed;
  out->level = r->level;
  run_groups(r, t, NULL, &out->found);
  const bool opens = ln_list_words(t->path, words, MOST_LAYERS);
  if (!opens && !out->found.count) {
    request load = *r;
    load.only = "load";
    run_groups(&load, t, NULL, &out->found);
  }
  for (int i = 0; opens && words[i][0]; i++)
    if (!t->only_word[0] || !strcmp(words[i], t->only_word))
      run_groups(r, t, words[i], &out->found);
  if (opens && wants_sanitizer(r, t))
    ln_check_sanitized(t->source, r->seed, &out->found);
  out->seconds = ln_seconds() - start;
}

static int report(const request *r, const ln_checked *all, int n) {
  int64_t faults = 0;
  for (int i = 0; i < n; i++) faults += ln_count_faults(&all[i]);
  if (r->json)
    ln_report_json(all, n);
  else
    ln_report_text(all, n);
  if (r->junit && ln_report_junit(all, n, r->junit)) {
    fprintf(stderr, "lunet check-plugin: %s\n", ln_error());
    return EXIT_USAGE;
  }
  return faults ? EXIT_FAULTS : EXIT_SUCCESS;
}

static int check_all(const request *r, char **names, int n) {
  ln_checked *all = calloc((size_t)n, sizeof *all);
  target *targets = calloc((size_t)n, sizeof *targets);
  int status = all && targets ? EXIT_SUCCESS : EXIT_USAGE;
  for (int i = 0; i < n && !status; i++)
    if (find_target(names[i], &targets[i]) || check_wishes(r, &targets[i])) {
      fprintf(stderr, "lunet check-plugin: %s\n", ln_error());
      status = EXIT_USAGE;
    }
  for (int i = 0; i < n && !status; i++) check(r, &targets[i], &all[i]);
  if (!status) status = report(r, all, n);
  for (int i = 0; all && i < n; i++) free(all[i].found.at);
  free(all);
  free(targets);
  ln_remove_built();
  return status;
}

static int list(void) {
  const ln_check *row;
  for (int i = 0; (row = ln_check_row(i)); i++)
    printf("%-24s %s\n", row->name, row->what);
  return EXIT_SUCCESS;
}

int ln_check_command(int argc, char **argv, ln_compiler compile, void *arg) {
  request r;
  int n_targets;
  ln_build_with(compile, arg);
  const int wrong = read_request(argc, argv, &r, &n_targets);
  if (wrong) return wrong;
  if (r.help) return fputs(usage, stdout) < 0;
  if (r.list) return list();
  if (!n_targets) {
    fputs(usage, stderr);
    return EXIT_USAGE;
  }
  return check_all(&r, argv, n_targets);
}
