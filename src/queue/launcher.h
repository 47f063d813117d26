/* What a launcher was told, by what it leaves to its ranks. Private to queue/ and its tests. */
#ifndef COP_QUEUE_LAUNCHER_H
#define COP_QUEUE_LAUNCHER_H

#include <stdbool.h>

/* True if a mapping policy as PRRTE prints it ("BYSLOT:OVERSUBSCRIBE") lets ranks outnumber
 * slots; NULL: there is none. */
bool cop_launcher_maps_more(const char *policy);

/* True if more ranks than cores were asked for. `get` reads the environment, `attribute` what
 * PMIx knows of a job. */
bool cop_launcher_oversubscribes(char *(*get)(const char *name),
                                 const char *(*attribute)(const char *job, const char *key));

#endif
