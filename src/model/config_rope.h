/* The rotary embedding's part of config.json. */
#ifndef COP_MODEL_CONFIG_ROPE_H
#define COP_MODEL_CONFIG_ROPE_H

#include "coppice/model/model.h"
#include "model/config_json.h"

/* Reads rope_theta with rope_scaling, or rope_parameters (flat, or one object per type of
 * layer) into rope [2] (full attention, sliding window). `scale_full_only`: a flat object's
 * scaling is for the full-attention layers only. */
cop_status cop_config_read_rope(const json_reader *reader, double default_theta,
                                int32_t max_positions, bool scale_full_only, cop_rope rope[2],
                                cop_error *err);

#endif
