/* The rules of generation_config.json, or of a config.json that has them. */
#ifndef COP_MODEL_CONFIG_GENERATION_H
#define COP_MODEL_CONFIG_GENERATION_H

#include "model/config_json.h"

/* Reads them; what is there and is not applied is listed in rules->not_applied. */
cop_status cop_config_read_generation(const json_reader *reader, cop_generation_rules *rules,
                                      cop_error *err);

#endif
