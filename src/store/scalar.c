/* Shorthand for scalars. */
#include "coppice/store/store.h"

cop_status cop_store_set_f64(cop_store *store, const char *path, double value, const char *unit,
                             const char *meaning, cop_error *err)
{
    const cop_store_array array = {.type = COP_STORE_F64, .data = &value};
    return cop_store_set(store, path, &array, unit, meaning, err);
}

cop_status cop_store_set_i64(cop_store *store, const char *path, int64_t value,
                             const char *unit, const char *meaning, cop_error *err)
{
    const cop_store_array array = {.type = COP_STORE_I64, .data = &value};
    return cop_store_set(store, path, &array, unit, meaning, err);
}

cop_status cop_store_set_text(cop_store *store, const char *path, const char *value,
                              const char *meaning, cop_error *err)
{
    COP_CHECK(value != NULL, err, COP_ERR_INTERNAL, "%s: text without a value", path);
    const cop_store_array array = {.type = COP_STORE_TEXT, .data = &value};
    return cop_store_set(store, path, &array, NULL, meaning, err);
}

static const void *get_scalar(const cop_store *store, const char *path, cop_store_type type)
{
    const cop_store_array *const array = cop_store_get(store, path);
    return array != NULL && array->type == type && array->rank == 0 ? array->data : NULL;
}

bool cop_store_get_f64(const cop_store *store, const char *path, double *value)
{
    const double *const data = get_scalar(store, path, COP_STORE_F64);
    if (data != NULL) *value = *data;
    return data != NULL;
}

bool cop_store_get_i64(const cop_store *store, const char *path, int64_t *value)
{
    const int64_t *const data = get_scalar(store, path, COP_STORE_I64);
    if (data != NULL) *value = *data;
    return data != NULL;
}

const char *cop_store_get_text(const cop_store *store, const char *path)
{
    const char *const *const data = get_scalar(store, path, COP_STORE_TEXT);
    return data == NULL ? NULL : *data;
}
