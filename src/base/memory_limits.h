/* How much memory the kernel and control groups leave this process. */
#ifndef COP_BASE_MEMORY_LIMITS_H
#define COP_BASE_MEMORY_LIMITS_H

#include <stdint.h>

/* The least of MemAvailable and what each control group of this process, of either version,
 * leaves; 0 if it cannot be told. `root` is put before /proc and /sys: "" for this machine. */
uint64_t cop_memory_limits_read(const char *root);

#endif
