/* Data sets from bytes in memory. */
#ifndef COP_DATA_DATASET_PARSE_H
#define COP_DATA_DATASET_PARSE_H

#include "coppice/data/dataset.h"

/* Parses JSON lines, bytes [length]; `origin` names them in messages. */
cop_status cop_dataset_parse(const char *bytes, size_t length, const char *origin,
                             cop_dataset **dataset, cop_error *err);

#endif
