#include "store/hdf.h"

#include <stdio.h>

void cop_store_hdf_quiet_begin(cop_store_hdf_quiet *quiet)
{
    *quiet = (cop_store_hdf_quiet){0};
    (void)H5Eget_auto2(H5E_DEFAULT, &quiet->print, &quiet->context);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void cop_store_hdf_quiet_end(const cop_store_hdf_quiet *quiet)
{
    (void)H5Eclear2(H5E_DEFAULT);
    (void)H5Eset_auto2(H5E_DEFAULT, quiet->print, quiet->context);
}

/* The first entry walked upward is the innermost, which says most. */
static herr_t take_reason(unsigned index, const H5E_error2_t *entry, void *context)
{
    char *const reason = context;
    if (index == 0 && entry->desc != NULL) (void)snprintf(reason, 256, "%s", entry->desc);
    return 0;
}

cop_status cop_store_hdf_fail(cop_error *err, cop_status status, const char *action)
{
    char reason[256] = "HDF5 gives no reason";
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, reason);
    (void)H5Eclear2(H5E_DEFAULT);
    return cop_error_set(err, status, "cannot %s: %s", action, reason);
}

hid_t cop_store_hdf_disk_type(cop_store_type type)
{
    switch (type) {
    case COP_STORE_F32:
        return H5T_IEEE_F32LE;
    case COP_STORE_F64:
        return H5T_IEEE_F64LE;
    case COP_STORE_I64:
        return H5T_STD_I64LE;
    case COP_STORE_U64:
        return H5T_STD_U64LE;
    case COP_STORE_U8:
        return H5T_STD_U8LE;
    case COP_STORE_TEXT:
        break;
    }
    return H5I_INVALID_HID;
}

hid_t cop_store_hdf_memory_type(cop_store_type type)
{
    switch (type) {
    case COP_STORE_F32:
        return H5T_NATIVE_FLOAT;
    case COP_STORE_F64:
        return H5T_NATIVE_DOUBLE;
    case COP_STORE_I64:
        return H5T_NATIVE_INT64;
    case COP_STORE_U64:
        return H5T_NATIVE_UINT64;
    case COP_STORE_U8:
        return H5T_NATIVE_UINT8;
    case COP_STORE_TEXT:
        break;
    }
    return H5I_INVALID_HID;
}

hid_t cop_store_hdf_text_type(void)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0) return type;
    if (H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
        return type;
    (void)H5Tclose(type);
    return H5I_INVALID_HID;
}

hid_t cop_store_hdf_image_access(size_t step)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return access;
    if (H5Pset_fapl_core(access, step, 0) >= 0 &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0) {
        return access;
    }
    (void)H5Pclose(access);
    return H5I_INVALID_HID;
}
