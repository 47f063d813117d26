/* Reading single objects of a run file, within a budget of bytes. */
#ifndef COP_STORE_HDF_READ_H
#define COP_STORE_HDF_READ_H

#include "store/hdf.h"
#include "store/tree.h"

/* State of one decoding. All arrays and texts of an honest file are in it byte for byte, so
 * what they take together is bounded by its length, whatever the file says. */
typedef struct cop_store_reader {
    hid_t text;        /* type of UTF-8 strings */
    size_t bytes_left; /* arrays, texts and names may still take */
    cop_error *err;
} cop_store_reader;

/* Takes `bytes` from the budget; COP_ERR_FORMAT if there are not as many left. */
cop_status cop_store_hdf_spend(cop_store_reader *reader, size_t bytes);

/* The text attribute `name`, NULL if there is none. Free with cop_memory_free(). */
cop_status cop_store_hdf_read_text_attribute(cop_store_reader *reader, hid_t object,
                                             const char *name, char **text);

/* The scalar integer attribute `name`. */
cop_status cop_store_hdf_read_number_attribute(cop_store_reader *reader, hid_t object,
                                               const char *name, int64_t *number);

/* The data set as entry->array, unit and meaning; what is read so far is left to the caller to
 * free, also on failure. */
cop_status cop_store_hdf_read_dataset(cop_store_reader *reader, hid_t dataset,
                                      cop_store_entry *entry);

#endif
