/* What writing and reading HDF5 have in common. HDF5 works on a file image in memory throughout
 * (its "core" driver): it never touches the disk, so that no error of the disk can strike
 * inside H5Fclose, no handle outlives a failure, and file locking never comes up. */
#ifndef COP_STORE_HDF_H
#define COP_STORE_HDF_H

#include "coppice/store/store.h"

#include <hdf5.h>

/* A name for an image; HDF5 tries to open it, so it is one that cannot exist. */
#define COP_STORE_HDF_NAME "/dev/null/coppice"

/* Root attributes. The digest is written last and marks the end. */
#define COP_STORE_HDF_FORMAT "coppice"
#define COP_STORE_HDF_FORMAT_VALUE "Coppice run file"
#define COP_STORE_HDF_SCHEMA "schema"
#define COP_STORE_HDF_ARRAYS "arrays"
#define COP_STORE_HDF_DIGEST "digest"

/* The state of HDF5's error printing before a call into this module. */
typedef struct cop_store_hdf_quiet {
    H5E_auto2_t print;
    void *context;
} cop_store_hdf_quiet;

/* Turns HDF5's own printing of errors off, and back to what it was. */
void cop_store_hdf_quiet_begin(cop_store_hdf_quiet *quiet);
void cop_store_hdf_quiet_end(const cop_store_hdf_quiet *quiet);

/* Sets *err to "cannot <action>: <reason from HDF5's error stack>". \return status. */
cop_status cop_store_hdf_fail(cop_error *err, cop_status status, const char *action);

/* Type on disk, and in memory, of elements of a type other than text. Not to be closed. */
hid_t cop_store_hdf_disk_type(cop_store_type type);
hid_t cop_store_hdf_memory_type(cop_store_type type);

/* A new type for UTF-8 strings of any length; negative on failure. */
hid_t cop_store_hdf_text_type(void);

/* A property list for files that are images in memory; negative on failure. Its increment of
 * growth is `step` bytes. */
hid_t cop_store_hdf_image_access(size_t step);

#endif
