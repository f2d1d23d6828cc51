/* sanitizer.h - the checks once more, on a plugin built with the sanitizers. */
#ifndef LUNET_CHECK_SANITIZER_H
#define LUNET_CHECK_SANITIZER_H

#include "check/runner.h"

/* Builds the source with AddressSanitizer and UBSan, and runs this program
 * again with their runtime in front. */
void ln_check_sanitized(const char *source, uint64_t seed, ln_findings *);

#endif
