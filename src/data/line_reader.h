/* Lines of a file, one at a time, with the file's digest. */
#ifndef COP_DATA_LINE_READER_H
#define COP_DATA_LINE_READER_H

#include "coppice/base/digest.h"

#include <stdbool.h>

typedef struct cop_line_reader cop_line_reader;

/* Opens a regular file; a line longer than `max_bytes` will be an error. COP_ERR_FORMAT: there
 * is no such file. */
cop_status cop_line_reader_open(const char *path, size_t max_bytes, cop_line_reader **reader,
                                cop_error *err);

/* The same over bytes [length] in memory, which must outlive the reader. */
cop_status cop_line_reader_create(const char *bytes, size_t length, size_t max_bytes,
                                  cop_line_reader **reader, cop_error *err);

/* The next line [length] without its newline, valid until the next call; NULL at the end. */
cop_status cop_line_reader_next(cop_line_reader *reader, const char **line, size_t *length,
                                cop_error *err);

/* True if a file's name says that its lines are JSON. */
bool cop_line_reader_is_json(const char *path);

/* True if the line that was given last ends in a newline: all but a file's last one do. */
bool cop_line_reader_had_newline(const cop_line_reader *reader);

/* SHA-256 of all bytes, once the end was reached. */
cop_status cop_line_reader_digest(cop_line_reader *reader, char hex[COP_DIGEST_HEX_BYTES],
                                  cop_error *err);

/* Closes *reader and sets it to NULL; NULL is allowed. */
void cop_line_reader_destroy(cop_line_reader **reader);

#endif
