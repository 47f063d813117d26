/* What rendering and recognising chat templates share. */
#ifndef COPPICE_FORMATS_CHAT_TEMPLATES_H
#define COPPICE_FORMATS_CHAT_TEMPLATES_H

#include "coppice/chat.h"

/* The system message that a ChatML family puts first where there is none, NULL if it puts none.
 */
const char *cop_chat_default_system(cop_chat_family family);

#endif
