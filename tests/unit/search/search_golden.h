/* Reading golden numbers for the tests of search/. */
#ifndef COP_TEST_SEARCH_GOLDEN_H
#define COP_TEST_SEARCH_GOLDEN_H

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

/* The cases of a golden file; the caller drops *root. */
static inline const json_t *golden_open(const char *path, json_t **root)
{
    json_error_t error;
    *root = json_load_file(path, 0, &error);
    if (!*root) fail_msg("%s:%d: %s", path, error.line, error.text);
    const json_t *cases = json_object_get(*root, "cases");
    assert_true(json_array_size(cases) > 0);
    return cases;
}

static inline double golden_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("no number \"%s\"", key);
    return json_number_value(value);
}

/* A list of numbers; free() it. */
static inline double *golden_list(const json_t *object, const char *key, size_t *count)
{
    const json_t *list = json_object_get(object, key);
    if (!json_is_array(list)) fail_msg("no list \"%s\"", key);
    *count = json_array_size(list);
    double *values = calloc(*count + 1, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < *count; i++)
        values[i] = json_number_value(json_array_get(list, i));
    return values;
}

/* Numbers agree to `tolerance`, relative to `scale`. */
static inline void golden_compare(double got, double want, double scale, double tolerance,
                                  const char *what)
{
    if (!(fabs(got - want) <= tolerance * scale))
        fail_msg("%s: %.17g, expected %.17g", what, got, want);
}

/* `got` [count] is the list under `key`, to `tolerance` of its largest entry (or of 1 where
 * absolute). */
static inline void golden_compare_list(const json_t *object, const char *key, const double *got,
                                       size_t count, double tolerance)
{
    size_t size;
    double *want = golden_list(object, key, &size);
    if (size != count) fail_msg("%s: %zu entries, expected %zu", key, count, size);
    double scale = 0.0;
    for (size_t i = 0; i < count; i++)
        scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        golden_compare(got[i], want[i], scale > 0.0 ? scale : 1.0, tolerance, key);
    free(want);
}

/* `got` [count] is the list of indices under `key`. */
static inline void golden_compare_indices(const json_t *object, const char *key,
                                          const size_t *got, size_t count)
{
    const json_t *list = json_object_get(object, key);
    if (json_array_size(list) != count)
        fail_msg("%s: %zu entries, expected %zu", key, count, json_array_size(list));
    for (size_t i = 0; i < count; i++)
        if ((json_int_t)got[i] != json_integer_value(json_array_get(list, i)))
            fail_msg("%s: entry %zu is %zu", key, i, got[i]);
}

/* Rows of `matrix` [rows, columns] are orthonormal. */
static inline void check_orthonormal(const double *matrix, size_t rows, size_t columns)
{
    for (size_t a = 0; a < rows; a++)
        for (size_t b = 0; b <= a; b++) {
            double dot = 0.0;
            for (size_t i = 0; i < columns; i++)
                dot += matrix[a * columns + i] * matrix[b * columns + i];
            golden_compare(dot, a == b ? 1.0 : 0.0, 1.0, 1e-10, "scalar product of rows");
        }
}

#endif
