/* The operators, for their table. */
#ifndef COP_SEARCH_OPERATORS_PRIVATE_H
#define COP_SEARCH_OPERATORS_PRIVATE_H

#include "coppice/search/operators.h"

extern const cop_operator cop_operator_two_pass;
extern const cop_operator cop_operator_z_score;
extern const cop_operator cop_operator_precision;
extern const cop_operator cop_operator_rank;

#endif
