/* A check that runs before the program does, see address_check.c. */
#ifndef COP_APP_ADDRESS_CHECK_H
#define COP_APP_ADDRESS_CHECK_H

/* Does nothing: who calls it has the check linked. */
void cop_app_link_address_check(void);

#endif
