/** \file build_info.h
 * What this binary was built from.
 */
#ifndef COPPICE_BASE_BUILD_INFO_H
#define COPPICE_BASE_BUILD_INFO_H

/** Version, for example "0.1.0". */
const char *cop_build_version(void);

/** `git describe` of the tree, "unknown" outside a checkout. */
const char *cop_build_git(void);

/** First line of the compiler's version. */
const char *cop_build_compiler(void);

/** Optimisation flags. */
const char *cop_build_flags(void);

#endif
