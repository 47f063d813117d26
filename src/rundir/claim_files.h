/* Claim files by number: the calls on the file system that claims are made of. Private to
 * claim.c. */
#ifndef COP_RUNDIR_CLAIM_FILES_H
#define COP_RUNDIR_CLAIM_FILES_H

#include "coppice/rundir/claim.h"

/* A random token. */
cop_status cop_claim_files_token(char token[COP_CLAIM_TOKEN_BYTES], cop_error *err);

/* The highest number in the directory, 0: none. */
cop_status cop_claim_files_latest(const char *directory, uint64_t *number, cop_error *err);

/* Reads claim `number`, opening it anew. \return 0 or errno. */
int cop_claim_files_read(const char *directory, uint64_t number, char *bytes, size_t size,
                         size_t *length);

bool cop_claim_files_exists(const char *directory, uint64_t number);

/* Makes claim `number` of `bytes`, which appears whole where there are hard links. *fd is open
 * for writing, or -1 where there is such a claim already. */
cop_status cop_claim_files_make(const char *directory, uint64_t number, const char *token,
                                const char bytes[COP_CLAIM_BYTES], bool without_links, int *fd,
                                cop_error *err);

void cop_claim_files_remove(const char *directory, uint64_t number);

/* Removes the claims below `number`, and what takers that died have left. */
void cop_claim_files_tidy(const char *directory, uint64_t number, const cop_claim_owner *mine);

#endif
