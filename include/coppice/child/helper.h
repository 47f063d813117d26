/** \file helper.h
 * Programs of this project that ranks run as processes of their own.
 */
#ifndef COPPICE_CHILD_HELPER_H
#define COPPICE_CHILD_HELPER_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

/** The path of a helper: beside the binary that this is, where it is installed, or one folder
 * above, where tests have it. `path` starts empty and is the caller's to free, also on failure.
 * COP_ERR_CONFIG if it is in neither place; `why` then says what needs it and where to get it.
 */
cop_status cop_helper_find(const char *name, const char *why, cop_text *path, cop_error *err);

#endif
