/* What happens where a page of a mapped file cannot be read: the kernel sends SIGBUS to the
 * thread that wanted it, which no status can tell. */
#ifndef COP_CHECKPOINT_MAPPED_FAULT_H
#define COP_CHECKPOINT_MAPPED_FAULT_H

#include <stddef.h>

/* Has SIGBUS within data [size] end the process at once with the exit code of COP_ERR_IO and a
 * line that names `path` (borrowed, as `fd` is, until cop_mapped_fault_forget()). Where there
 * are more mappings than can be noted the rest is not: there the signal does what it did. */
void cop_mapped_fault_note(const void *data, size_t size, const char *path, int fd);

/* The mapping goes. */
void cop_mapped_fault_forget(const void *data);

#endif
