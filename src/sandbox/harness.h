/* The Python part, as text; made from *.py by the Makefile. */
#ifndef COP_SANDBOX_HARNESS_H
#define COP_SANDBOX_HARNESS_H

extern const char cop_harness_wire[];
extern const char cop_harness_guest[];
extern const char cop_harness_names[];
extern const char cop_harness_judge[];
extern const char cop_harness_preload[];

#endif
