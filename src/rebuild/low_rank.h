/* Weights from the base and noise of low rank. */
#ifndef COP_REBUILD_LOW_RANK_H
#define COP_REBUILD_LOW_RANK_H

#include "coppice/rebuild/rebuild.h"

/* As cop_rebuild_run() for a piece with piece->low, of something to add. */
void cop_low_rank_run(const cop_rebuild_piece *piece, const cop_component *components,
                      size_t component_count, int threads, cop_isa isa);

/* Likewise for the sum that the components are, whatever their factors: a piece of binary32
 * without a base. */
void cop_low_rank_sum(const cop_rebuild_piece *piece, const cop_component *components,
                      size_t component_count, int threads, cop_isa isa);

/* As cop_rebuild_run_rectangle(), likewise. */
void cop_low_rank_run_rectangle(const cop_rebuild_piece *piece, const cop_component *components,
                                size_t component_count, const cop_rebuild_rectangle *rectangle,
                                cop_isa isa);

/* As cop_rebuild_count_unmoved(), likewise. */
uint64_t cop_low_rank_count_unmoved(const cop_rebuild_piece *piece,
                                    const cop_component *components, size_t component_count,
                                    int threads, cop_isa isa);

#endif
