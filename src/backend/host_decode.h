/* Decode steps where the host computes. Private to backend/. */
#ifndef COP_BACKEND_HOST_DECODE_H
#define COP_BACKEND_HOST_DECODE_H

#include "coppice/backend/backend.h"

/* cop_backend_ops::decode by the backend's other operations, one step after the other; any
 * number of steps. Ended sequences leave the batch at once. */
cop_decode_fn cop_decode_on_host;

#endif
