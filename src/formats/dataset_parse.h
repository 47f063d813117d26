/* Data sets from bytes in memory. */
#ifndef COPPICE_FORMATS_DATASET_PARSE_H
#define COPPICE_FORMATS_DATASET_PARSE_H

#include "coppice/dataset.h"

/* Parses JSON lines, bytes [length]; `origin` names them in messages. */
cop_status cop_dataset_parse(const char *bytes, size_t length, const char *origin,
                             cop_dataset **dataset, cop_error *err);

#endif
