/** \file jinja.h
 * Chat templates: the part of Jinja that they are written in, as jinja2's immutable sandbox
 * runs it in transformers (trim_blocks and lstrip_blocks on, tojson without HTML escapes, loop
 * controls, generation blocks). Templates come from strangers: nesting, work and memory are
 * bounded, and what is not known is refused by name and line, never guessed.
 */
#ifndef COPPICE_JINJA_JINJA_H
#define COPPICE_JINJA_JINJA_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/** A parsed template. It does not change, so threads may share it. */
typedef struct cop_jinja cop_jinja;

/** Parses source [length]. A mistake is COP_ERR_FORMAT, a tag that is not known
 * COP_ERR_UNSUPPORTED; both messages begin with the line. */
cop_status cop_jinja_parse(const char *source, size_t length, cop_jinja **template,
                           cop_error *err);

/** True if the template reads a variable (or calls a function) of that name anywhere. */
bool cop_jinja_reads(const cop_jinja *template, const char *name);

/** Appends what the template makes of an object of variables. `now` is what strftime_now()
 * tells (year, month, day, weekday and day of the year set). What the template itself refuses
 * by raise_exception() is COP_ERR_FORMAT with its words. On failure *out is as it was. */
cop_status cop_jinja_render(const cop_jinja *template, json_t *variables, const struct tm *now,
                            cop_text *out, cop_error *err);

/** Frees *template and sets it to NULL; NULL is allowed. */
void cop_jinja_destroy(cop_jinja **template);

#endif
