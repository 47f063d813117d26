/* The rotary embedding's part of config.json. */
#ifndef COP_MODEL_CONFIG_ROPE_H
#define COP_MODEL_CONFIG_ROPE_H

#include "coppice/model/model.h"
#include "model/config_family.h"

/* Reads rope_theta (and rope_local_base_freq) with rope_scaling, or rope_parameters (flat, or
 * one object per type of layer) into rope [2] (full attention, sliding window). */
cop_status cop_config_read_rope(const json_reader *reader, const cop_family *of,
                                int32_t max_positions, cop_rope rope[2], cop_error *err);

#endif
